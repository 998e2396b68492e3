"""Service A. `python main.py` runs it, as does `uvicorn main:app --port 8000`."""

import gc
import signal
import sys
from pathlib import Path

# Python leaves out the program's own folder if PYTHONSAFEPATH is set.
sys.path.insert(0, str(Path(__file__).resolve().parent))

if __name__ == "__main__":
    # A start makes hardly any garbage, and to look for it would take a fifth of the time.
    gc.disable()
    # Until it serves, Ctrl-C ends it without a traceback of what it was just importing.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from gateway.command import main, make_app

if __name__ == "__main__":
    main("python main.py")
elif __name__ != "__mp_main__":  # as in one of several processes, which makes its own
    app = make_app()
