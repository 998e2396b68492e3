"""Service B. `python main.py` runs it, as does `uvicorn main:app --port 8001`."""

import sys
from pathlib import Path

# Python leaves out the program's own folder if PYTHONSAFEPATH is set.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from predictor.command import main, make_app

if __name__ == "__main__":
    main("python main.py")
elif __name__ != "__mp_main__":  # as in one of several processes, which makes its own
    app = make_app()
