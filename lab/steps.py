"""The steps of the test command: each is taken and timed, and noted for the summary."""

import sys
import time
from collections.abc import Callable

from lab.errors import LabFailure


class Steps:
    """What was done so far, and how it ended."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._started = time.monotonic()
        self.all_passed = True

    def take(self, name: str, action: Callable[[], bool | None]) -> bool:
        """Take a step, which fails if it says so or can't be done. The rest goes on."""
        print(f"\n==== {name}")
        started = time.monotonic()
        try:
            passed = action() is not False
        except LabFailure as failure:
            print(failure, file=sys.stderr)
            passed = False
        self.all_passed = self.all_passed and passed
        result = "passed" if passed else "failed"
        self._lines.append(f"{result}  {time.monotonic() - started:4.0f} s  {name}")
        return passed

    def print_summary(self) -> None:
        minutes, seconds = divmod(round(time.monotonic() - self._started), 60)
        print(f"\n==== Took {minutes} min {seconds} s")
        print("\n==== Summary", *self._lines, sep="\n")
