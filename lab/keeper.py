"""Keeps one service, as a process of its own: `python -m lab.keeper FOLDER PREFIX`.

It copies the service's output with a prefix, and ends with the service's status. It stops the
service when its own input ends: when the launcher closes it, or is gone, be it by `kill -9`.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO

from lab.output import write_in_any_encoding
from lab.venvs import find_python

# In a process group of its own, a program isn't reached by the terminal's Ctrl-C.
OWN_GROUP = None if os.name == "nt" else 0
OWN_GROUP_FLAG = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # the same on Windows

_STOP_SECONDS = 12  # a service finishes what it has under way within 10


def keep(command: list[str], folder: Path, prefix: str, stop_seconds: float = _STOP_SECONDS) -> int:
    """Run a service until it ends or is to be stopped, and return its exit status."""
    service = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=OWN_GROUP,
        creationflags=OWN_GROUP_FLAG,
    )
    copying = Thread(target=_copy, args=(service.stdout, prefix), daemon=True)
    copying.start()
    Thread(target=_stop_when_input_ends, args=(service, stop_seconds), daemon=True).start()
    status = service.wait()
    _kill(service)
    copying.join(1)
    return status if status >= 0 else 128 - status


def _copy(output: IO[bytes], prefix: str) -> None:
    for line in output:
        with suppress(OSError):  # when nobody reads any more, the service must not block
            sys.stdout.write(prefix + line.decode(errors="backslashreplace").rstrip("\r\n") + "\n")


def _stop_when_input_ends(service: "subprocess.Popen[bytes]", stop_seconds: float) -> None:
    os.read(0, 1)
    service.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
    try:
        service.wait(stop_seconds)
    except subprocess.TimeoutExpired:
        _kill(service)


def _kill(service: "subprocess.Popen[bytes]") -> None:
    """End the service, and what it may have started."""
    if sys.platform == "win32":
        service.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(service.pid, signal.SIGKILL)


if __name__ == "__main__":
    write_in_any_encoding()
    service_folder = Path(sys.argv[1]).absolute()
    python = str(find_python(service_folder / ".venv"))
    # Not `sys.exit`, which would complain of what it can't write when nobody reads any more.
    os._exit(keep([python, "main.py"], service_folder, sys.argv[2]))
