"""Service B. `python main.py` runs it, as does `uvicorn main:app --port 8001`."""

import sys
from pathlib import Path

# Python leaves out the program's own folder if PYTHONSAFEPATH is set.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from predictor.errors import ManifestError
from predictor.serving.server import serve
from predictor.settings import (
    SettingsError,
    check_foreign_variables,
    load_settings,
    parse_arguments,
)

if __name__ == "__main__":
    parse_arguments()  # before a wrong setting stops whoever asks for help

try:
    check_foreign_variables()
    settings = load_settings()
    # After the check: what this imports reads the variables.
    from predictor.app import create_app

    app = create_app(settings)
except (SettingsError, ManifestError) as error:
    sys.exit(str(error))

if __name__ == "__main__":
    serve(app, settings)
