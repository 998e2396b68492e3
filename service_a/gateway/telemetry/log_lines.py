"""Log lines: one event per line, as text or as JSON, whatever the values hold.

Text is for eyes: the time of day, what happened, and ids last and shortened. JSON has it all.
"""

import asyncio
import json
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

from gateway.telemetry.redaction import hide_secrets

Fields = Mapping[str, Any]

_NUMBERS = (int, float)
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+-]+")
# Fields with a place of their own, at the beginning or the end of a request's text.
_PLACED = frozenset(("method", "path", "status", "duration_ms", "request_id", "trace_id"))
# An id made here is longer; its end is what no other has.
_WHOLE_ID, _SHORT_ID = 20, 8
_RED, _YELLOW = "\033[31m", "\033[33m"


def quote(value: object) -> str:
    """Write a value so that it can end neither its field nor its line."""
    if type(value) in _NUMBERS:
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _write_time(seconds: float) -> str:
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_write_second(whole)}.{milliseconds:03}+00:00"


@lru_cache(maxsize=1)
def _write_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class LineFormatter(logging.Formatter):
    """Formats a record, with the `fields` given in its `extra`, as one line."""

    def __init__(self, *, coloured: bool = False) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        if record.exc_info:
            fields = {**fields, "traceback": self.formatException(record.exc_info)}
        time = _write_time(record.created)
        line = self.write(time, record.levelname, record.name, record.getMessage(), fields)
        if self._coloured and record.levelno >= logging.WARNING:
            line = _colour(line, _RED if record.levelno >= logging.ERROR else _YELLOW)
        return hide_secrets(line)

    def write(self, time: str, level: str, logger: str, event: str, fields: Fields) -> str:
        pairs = [f"{key}={quote(value)}" for key, value in fields.items()]
        start = f"{time[11:23]} level={level} event={quote(event)}"
        return " ".join([start, *pairs, f"logger={quote(logger)}"])

    def write_request(self, time: str, _level: str, _logger: str, fields: Fields) -> str:
        """Write the line of a request, of which level and logger say nothing to a reader."""
        line = (
            f"{time[11:23]} {quote(fields['method'])} {quote(fields['path'])}"
            f" {fields['status']} {fields['duration_ms']}ms"
        )
        for key, value in fields.items():
            if key not in _PLACED:
                line += f" {key}={quote(value)}"
        line += f" id={_shorten(fields['request_id'])} trace={_shorten(fields['trace_id'])}"
        return _colour(line, _RED) if self._coloured and fields["status"] >= 500 else line


def _shorten(ids: str) -> str:
    """Shorten an id; of those of a call for several callers, show the first and count the rest."""
    if len(ids) <= _WHOLE_ID:
        return quote(ids)
    first, _, more = ids.partition(",")
    short = first if len(first) <= _WHOLE_ID else first[-_SHORT_ID:]
    return quote(f"{short}+{more.count(',') + 1}" if more else short)


def _colour(line: str, code: str) -> str:
    return f"{code}{line}\033[0m"


class JsonFormatter(LineFormatter):
    """The same as one JSON object, with everything in it."""

    def write(self, time: str, level: str, logger: str, event: str, fields: Fields) -> str:
        start = {"time": time, "level": level, "logger": logger, "event": event}
        return json.dumps({**start, **fields}, default=str)

    def write_request(self, time: str, level: str, logger: str, fields: Fields) -> str:
        return self.write(time, level, logger, "request", fields)


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of records, and those of requests."""

    def __init__(self, stream: TextIO, formatter: LineFormatter) -> None:
        super().__init__(stream)
        self._line_formatter = formatter
        self._lines: list[str] = []
        self.setFormatter(formatter)

    def write_request(self, logger: logging.Logger, level: int, fields: Fields) -> None:
        """Write a request's line without making a record, which would take longer than the rest.

        The lines of one turn of the event loop are written together, at its end.
        """
        if not logger.isEnabledFor(level):
            return
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write_lines)
        now, name = _write_time(time.time()), logging.getLevelName(level)
        line = self._line_formatter.write_request(now, name, logger.name, fields)
        self._lines.append(f"{line}\n")

    def _write_lines(self) -> None:
        text = "".join(self._lines)
        self._lines.clear()
        self.acquire()
        try:
            self.stream.write(text)
            self.stream.flush()
        finally:
            self.release()


def configure_logging(level: str, line_format: str = "text") -> LineHandler:
    """Send every log line of the process, uvicorn's too, to stdout in one format."""
    formatter = JsonFormatter() if line_format == "json" else LineFormatter(coloured=_is_coloured())
    handler = LineHandler(sys.stdout, formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Our own request line says more than uvicorn's, so a request is logged once.
    logging.getLogger("uvicorn.access").handlers.clear()
    logging.getLogger("uvicorn.access").propagate = False
    # It would warn of each odd field in the head of an answer, with a traceback. Whoever made the
    # call says what came of it.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
    return handler


def _is_coloured() -> bool:
    """Say whether stdout shows colours: a terminal, or a program that says its own does."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (os.name != "nt" and sys.stdout.isatty())
