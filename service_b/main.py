"""Service B. `python main.py` runs it, as does `uvicorn main:app --port 8001`."""

import sys

from predictor.app import create_app
from predictor.server import serve
from predictor.settings import SettingsError, load_settings

try:
    settings = load_settings()
except SettingsError as error:
    sys.exit(str(error))

app = create_app(settings)

if __name__ == "__main__":
    serve(app, settings)
