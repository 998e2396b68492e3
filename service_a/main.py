"""Service A. `python main.py` runs it, as does `uvicorn main:app --port 8000`."""

import sys
from pathlib import Path

# Python leaves out the program's own folder if PYTHONSAFEPATH is set.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from gateway.app import create_app
from gateway.serving.server import serve
from gateway.settings import SettingsError, load_settings, parse_arguments

if __name__ == "__main__":
    parse_arguments()  # before a wrong setting stops whoever asks for help

try:
    settings = load_settings()
    app = create_app(settings)
except SettingsError as error:
    sys.exit(str(error))

if __name__ == "__main__":
    serve(app, settings)
