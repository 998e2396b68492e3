"""Reading the input log: by page, by request, and all of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Row, Select, select, tuple_

from gateway.errors import InputNotFound
from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import attempts, inputs
from gateway.intake.entries import OutcomeKind

_EXPORT_PAGE = 500
# A page of the largest inputs would take gigabytes.
_MAX_PAGE_CHARS = 4 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CURSOR = "^[0-9]{1,17}-[0-9]{1,18}$"
"""What the text of a place looks like: microseconds of the Unix clock and a number."""


@dataclass(frozen=True)
class InputFilter:
    """Which inputs to read: each part that is given must fit."""

    outcome: OutcomeKind | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class Place:
    """A place between two rows in the order of time."""

    received_at: datetime
    number: int

    def to_cursor(self) -> str:
        return f"{(self.received_at - _EPOCH) // timedelta(microseconds=1)}-{self.number}"

    @classmethod
    def from_cursor(cls, cursor: str) -> "Place":
        """Read a text that fits `CURSOR`."""
        microseconds, _, number = cursor.partition("-")
        return cls(_EPOCH + timedelta(microseconds=int(microseconds)), int(number))


@dataclass(frozen=True)
class Page:
    """Rows as JSON objects, and where the next page begins, if there is one."""

    rows: list[bytes]
    next_cursor: str | None


class LogReader:
    """Reads from the database. Blocks; safe to use from many threads.

    Each method raises `InputLogUnavailable` when the log can't be read.
    """

    def __init__(self, url: str) -> None:
        self._database = LogDatabase(url)

    def read_page(self, wanted: InputFilter, after: Place | None, limit: int) -> Page:
        """Return inputs, newest first, that come after a place: `limit`, or fewer large ones."""
        query = _select(wanted).order_by(inputs.c.received_at.desc(), inputs.c.id.desc())
        if after is not None:
            place = tuple_(after.received_at, after.number)
            query = query.where(tuple_(inputs.c.received_at, inputs.c.id) < place)
        rows, more = self._fetch(query, limit)
        return Page(
            [_write_row(row) for row in rows], _locate(rows[-1]).to_cursor() if more else None
        )

    def read_one(self, request_id: str) -> bytes:
        """Return the newest input of a request as JSON, with its earlier attempts.

        Raises:
            InputNotFound: no input has this request id.
        """
        newest = inputs.c.id.desc()
        query = select(inputs).where(inputs.c.request_id == request_id).order_by(newest).limit(1)
        with self._database.transaction() as connection:
            row = connection.execute(query).first()
            if row is None:
                raise InputNotFound(request_id)
            earlier = connection.execute(
                select(attempts).where(attempts.c.input_id == row.id).order_by(attempts.c.id)
            ).all()
        told = [
            {
                "outcome": each.outcome,
                "outcome_at": _write_time(each.outcome_at),
                "duration_ms": each.duration_ms,
            }
            for each in earlier
        ]
        return _write_row(row, earlier_attempts=told)

    def export(self, wanted: InputFilter) -> Iterator[bytes]:
        """Yield the inputs as JSON lines, oldest first.

        Read page by page, so that a slow reader keeps neither a connection nor old rows alive.
        """
        query = _select(wanted).order_by(inputs.c.received_at, inputs.c.id)
        rows, _ = self._fetch(query, _EXPORT_PAGE)
        while rows:
            yield b"".join(_write_row(row) + b"\n" for row in rows)
            last = _locate(rows[-1])
            place = tuple_(last.received_at, last.number)
            rest = query.where(tuple_(inputs.c.received_at, inputs.c.id) > place)
            rows, _ = self._fetch(rest, _EXPORT_PAGE)

    def close(self) -> None:
        self._database.close()

    def _fetch(self, query: Select[Any], limit: int) -> tuple[list[Row[Any]], bool]:
        """Return the first rows, and whether there are more."""
        rows: list[Row[Any]] = []
        chars = 0
        query = query.limit(limit + 1).execution_options(stream_results=True, max_row_buffer=8)
        with self._database.transaction() as connection, connection.execute(query) as result:
            for row in result:
                chars += len(row.data)
                if len(rows) == limit or (rows and chars > _MAX_PAGE_CHARS):
                    return rows, True
                rows.append(row)
        return rows, False


def _select(wanted: InputFilter) -> Select[Any]:
    query = select(inputs)
    if wanted.outcome is not None:
        query = query.where(inputs.c.outcome == wanted.outcome)
    if wanted.received_from is not None:
        query = query.where(inputs.c.received_at >= wanted.received_from.astimezone(UTC))
    if wanted.received_before is not None:
        query = query.where(inputs.c.received_at < wanted.received_before.astimezone(UTC))
    if wanted.request_id is not None:
        query = query.where(inputs.c.request_id == wanted.request_id)
    return query


def _locate(row: Row[Any]) -> Place:
    return Place(_know_zone(row.received_at), row.id)


def _write_row(row: Row[Any], **more: Any) -> bytes:
    """Write a row as a JSON object; its data, which is JSON already, goes in as it is."""
    fields = {
        "number": row.id,
        "request_id": row.request_id,
        "received_at": _write_time(row.received_at),
        "model": row.model,
        "outcome": row.outcome,
        "price": row.price,
        "model_version": row.model_version,
        "duration_ms": row.duration_ms,
        "outcome_at": _write_time(row.outcome_at),
        **more,
    }
    return b'%b,"data":%b}' % (to_json(fields)[:-1], row.data.encode())


def _write_time(time: datetime | None) -> str | None:
    return None if time is None else _know_zone(time).isoformat().replace("+00:00", "Z")


def _know_zone(time: datetime) -> datetime:
    """SQLite keeps no time zone; what we write is UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
