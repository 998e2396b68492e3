"""Standard input and output of a process that was started without some of them."""

import os
import sys


def open_closed_streams() -> None:
    """Have each closed stream lead nowhere.

    Otherwise the next file that is opened gets its number, and what is printed would go there.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "r+", encoding="utf-8")  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)  # as the processes of WORKERS need it
            setattr(sys, name, stream)
