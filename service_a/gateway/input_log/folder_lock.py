"""One process at a time leaves the former files of a SQLite log, or opens new ones.

A process that has left them, and hasn't opened new ones yet, can't be seen by what is there. The
next one would delete the files that the first is about to make.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import InputLogUnavailable

if sys.platform != "win32":  # there nobody can delete or replace a file that is open
    import fcntl

_WAIT_SECONDS = 5
_PAUSE_SECONDS = 0.05


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes out of the block, where the file system can; make a missing folder.

    Raises:
        InputLogUnavailable: others have been in it for five seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        _lock(opened)
        yield
    finally:
        os.close(opened)


def _lock(folder: int) -> None:
    give_up_at = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                raise InputLogUnavailable("another process is opening the log") from None
            time.sleep(_PAUSE_SECONDS)
        except OSError:  # not every file system has locks for folders
            return
        else:
            return
