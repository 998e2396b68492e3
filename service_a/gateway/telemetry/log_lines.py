"""Log lines: one event per line, as `key=value` or as JSON, whatever the values hold."""

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TextIO

from gateway.telemetry.redaction import hide_secrets

Fields = Mapping[str, object]

_NUMBERS = (int, float)
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+-]+")


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

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = getattr(record, "fields", {})
        if record.exc_info:
            fields = {**fields, "traceback": self.formatException(record.exc_info)}
        line = self.write(
            {
                "time": _write_time(record.created),
                "level": record.levelname,
                "logger": record.name,
                "event": record.getMessage(),
                **fields,
            }
        )
        return hide_secrets(line)

    def write(self, fields: dict[str, object]) -> str:
        return " ".join([f"{key}={quote(value)}" for key, value in fields.items()])


class JsonFormatter(LineFormatter):
    """The same as one JSON object."""

    def write(self, fields: dict[str, object]) -> str:
        return json.dumps(fields, default=str)


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of records, and those of requests."""

    def __init__(self, stream: TextIO, formatter: LineFormatter) -> None:
        super().__init__(stream)
        self._line_formatter = formatter
        self._lines: list[str] = []
        self.setFormatter(formatter)

    def write(self, logger: logging.Logger, level: int, event: str, fields: Fields) -> None:
        """Write a line without making a record, which would take longer than all the rest.

        The lines of one turn of the event loop are written together, at its end.
        """
        if not logger.isEnabledFor(level):
            return
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write_lines)
        line = self._line_formatter.write(
            {
                "time": _write_time(time.time()),
                "level": logging.getLevelName(level),
                "logger": logger.name,
                "event": event,
                **fields,
            }
        )
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
    formatter = JsonFormatter() if line_format == "json" else LineFormatter()
    handler = LineHandler(sys.stdout, formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Our own request line says more than uvicorn's, so a request is logged once.
    logging.getLogger("uvicorn.access").handlers.clear()
    logging.getLogger("uvicorn.access").propagate = False
    return handler
