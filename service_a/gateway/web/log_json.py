"""The input log in JSON: its rows, and the cursors that lead from one page to the next."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from gateway.input_log.reader import Attempt, LoggedInput, Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CURSOR = "^[0-9]{1,17}-[0-9]{1,18}$"
"""What a cursor looks like: microseconds of the Unix clock and a number."""


def write_cursor(place: Place | None) -> bytes:
    if place is None:
        return b"null"
    microseconds = (place.received_at - _EPOCH) // timedelta(microseconds=1)
    return b'"%d-%d"' % (microseconds, place.number)


def read_cursor(cursor: str) -> Place:
    """Read a text that fits `CURSOR`."""
    microseconds, _, number = cursor.partition("-")
    return Place(_EPOCH + timedelta(microseconds=int(microseconds)), int(number))


def write_input(row: LoggedInput, earlier: Sequence[Attempt] | None = None) -> bytes:
    """Write a row as an object, with its data if it was read, and its earlier attempts if given."""
    fields = row._asdict()
    prediction, warnings = fields.pop("prediction") or "null", fields.pop("warnings") or "null"
    data = fields.pop("data")
    if earlier is not None:
        fields["earlier_attempts"] = [attempt._asdict() for attempt in earlier]
    # These are JSON already, and go in as they are.
    written = b'%b,"prediction":%b,"warnings":%b' % (
        to_json(fields)[:-1],
        prediction.encode(),
        warnings.encode(),
    )
    return b'%b,"data":%b}' % (written, data.encode()) if data else written + b"}"
