"""Log lines: one event a line, as `key=value` or as JSON, whatever the values hold."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+-]+")


def quote(value: object) -> str:
    """Write a value so that it can neither end its field nor its line."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


class LineFormatter(logging.Formatter):
    """Formats a record, with the `fields` given in its `extra`, as one line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return self.write(fields)

    def write(self, fields: dict[str, object]) -> str:
        return " ".join(f"{key}={quote(value)}" for key, value in fields.items())


class JsonFormatter(LineFormatter):
    """The same as one JSON object."""

    def write(self, fields: dict[str, object]) -> str:
        return json.dumps(fields, default=str)


def configure_logging(level: str, line_format: str = "text") -> None:
    """Send every log line of the process, uvicorn's too, to stdout in one format."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if line_format == "json" else LineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Our own request line says more than uvicorn's, so a request is logged once.
    logging.getLogger("uvicorn.access").handlers.clear()
    logging.getLogger("uvicorn.access").propagate = False
