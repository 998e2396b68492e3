"""What the lab prints, on whatever terminal it is."""

import io
import os
import sys


def write_in_any_encoding() -> None:
    """Show at once, line by line, with an escape where the terminal has no such character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it is None when it was closed
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def has_colours() -> bool:
    """Say whether what is printed goes to a terminal, and nobody set NO_COLOR."""
    return not os.environ.get("NO_COLOR") and sys.stdout is not None and sys.stdout.isatty()


def colour(text: str, code: int) -> str:
    """Colour a text where there are colours."""
    if not has_colours():
        return text
    if os.name == "nt":
        os.system("")  # noqa: S605 - has an old console of Windows understand colours
    return f"\033[{code}m{text}\033[0m"
