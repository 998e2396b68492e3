"""What Ctrl-C, a closed terminal and `kill` do to the lab."""

import signal
from types import FrameType

from lab.errors import Stopped

# SIGHUP is POSIX's, SIGBREAK is Windows's.
_NUMBERS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


def raise_stopped_on_signals() -> None:
    """A signal that is ignored already, as after `nohup`, stays ignored."""
    for number in _NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise_stopped)


def ignore_signals() -> None:
    """Let nothing interrupt the end."""
    for number in _NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def _raise_stopped(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
