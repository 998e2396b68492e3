"""What the lab prints, on whatever terminal it is."""

import io
import os
import sys


def write_in_any_encoding() -> None:
    """Show at once, line by line, with an escape where the terminal has no such character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it is None when it was closed
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def colour(text: str, code: int) -> str:
    """Colour a text if it is for a terminal and nobody set NO_COLOR."""
    if os.environ.get("NO_COLOR") or sys.stdout is None or not sys.stdout.isatty():
        return text
    if os.name == "nt":
        os.system("")  # noqa: S605 - has an old console of Windows understand colours
    return f"\033[{code}m{text}\033[0m"
