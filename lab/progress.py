"""How far pip or uv has come: read from what it prints, and shown while it runs."""

import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import IO

_LOCKED = re.compile(r"^[A-Za-z0-9][\w.-]*==", re.MULTILINE)
_FETCHED = re.compile("Collecting |Processing |Requirement already satisfied")
_BAR_WIDTH = 24
_TERMINAL_SECONDS, _PLAIN_SECONDS = 0.2, 10


class Progress:
    """Packages fetched, then installed, of those that a lock lists."""

    def __init__(self, lock: str, list_installed: Callable[[], set[Path]]) -> None:
        self._list_installed = list_installed
        self._before = list_installed()
        self._total = len(_LOCKED.findall(lock))
        self._fetched = 0
        self._fetches = True
        self._compiles = False

    def read(self, line: str) -> None:
        """Read a line that pip or uv printed."""
        if _FETCHED.match(line):
            self._fetched += 1
        elif line.startswith("Ignoring "):  # a package that this system doesn't need
            self._total -= 1
        elif match := re.match(r"Resolved (\d+) ", line):
            self._total = int(match[1])
        elif line.startswith("Installing collected packages: "):
            self._fetches, self._total = False, line.count(",") + 1
        elif line.startswith("Prepared "):
            self._fetches = False
        elif line.startswith("Installed "):
            self._fetches, self._compiles = False, True

    def write(self, seconds: float) -> str:
        """Write how far it is, as `12 of 30 packages fetched, 5 s`."""
        if self._compiles:
            return f"{self._total} packages installed, compiling them, {seconds:.0f} s"
        verb = "fetched" if self._fetches else "installed"
        return f"{self._count_done()} of {self._total} packages {verb}, {seconds:.0f} s"

    def draw(self, seconds: float) -> str:
        filled = _BAR_WIDTH
        if self._total and not self._compiles:
            filled = _BAR_WIDTH * self._count_done() // self._total
        return f"[{'#' * filled:.<{_BAR_WIDTH}}] {self.write(seconds)}"

    def count_installed(self) -> int:
        return len(self._list_installed() - self._before)

    def _count_done(self) -> int:
        return min(self._fetched if self._fetches else self.count_installed(), self._total)


def run_with_progress(
    command: list[str], environment: dict[str, str], log: IO[bytes], progress: Progress
) -> bool:
    """Run an installer to its end, copy what it prints to a log, and say whether it ended well."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    pause_seconds = _TERMINAL_SECONDS if is_terminal else _PLAIN_SECONDS
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError:
        return False
    with process:
        try:
            reading = Thread(target=_read, args=(process.stdout, log, progress), daemon=True)
            reading.start()
            while True:
                reading.join(pause_seconds)
                if not reading.is_alive():
                    break
                seconds = time.monotonic() - started
                if is_terminal:
                    _redraw(progress.draw(seconds))
                else:
                    print(f"  {progress.write(seconds)}")
        except BaseException:
            process.kill()
            raise
        finally:
            if is_terminal:
                _redraw("")
    if process.returncode == 0:
        seconds = math.ceil(time.monotonic() - started)
        print(f"Installed {progress.count_installed()} packages in {seconds} s")
    return process.returncode == 0


def _read(output: IO[bytes], log: IO[bytes], progress: Progress) -> None:
    for line in output:
        log.write(line)
        progress.read(line.decode(errors="replace"))


def _redraw(text: str) -> None:
    """Write over the line that the cursor is in, without escapes, which not every console has."""
    width = shutil.get_terminal_size().columns - 1
    sys.stdout.write(f"\r{text[:width]:{width}}" if text else f"\r{'':{width}}\r")
    sys.stdout.flush()
