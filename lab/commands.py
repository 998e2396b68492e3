"""Programs that the test command runs: one in the foreground, others beside it."""

import os
import signal
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from lab.environment import make_environment
from lab.errors import Stopped

_INTERRUPT = signal.SIGTERM if os.name == "nt" else signal.SIGINT


def run(command: Sequence[str], folder: Path) -> bool:
    """Run a program to its end and say whether it ended well."""
    process = subprocess.Popen(command, cwd=folder, env=make_environment())
    try:
        return process.wait() == 0
    except Stopped as stopped:
        # Tests have processes of their own to tidy up. Ctrl-C has reached them already.
        if stopped.number != signal.SIGINT:
            process.send_signal(_INTERRUPT)
        process.wait()
        raise


class Beside(ExitStack):
    """Programs that run as long as the context lasts; what they print is shown when they end."""

    def __init__(self, commands: Iterable[Sequence[str]], folder: Path) -> None:
        super().__init__()
        environment, pipe, merged = make_environment(), subprocess.PIPE, subprocess.STDOUT
        self.processes = [
            subprocess.Popen(each, cwd=folder, env=environment, stdout=pipe, stderr=merged)
            for each in commands
        ]
        for process in self.processes:
            self.enter_context(process)  # which waits for it
            self.callback(process.kill)

    def finish(self) -> bool:
        """Wait for all of them, and say whether all ended well."""
        for process in self.processes:
            print(process.communicate()[0].decode(errors="replace"), end="")
        return all(process.returncode == 0 for process in self.processes)
