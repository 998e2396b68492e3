"""Reading the input log: by page, by request, and all of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, func, literal, select, tuple_

from gateway.errors import InputNotFound
from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import attempts, inputs
from gateway.intake.entries import OutcomeKind

_EXPORT_PAGE = 500
# A page is kept several times over while it is made, and for as long as its caller is slow.
_MAX_PAGE_CHARS = 1024 * 1024
# A server is asked for so many rows at a time; there may be as many of the largest in memory.
_ROWS_AT_ONCE = 8
# An export keeps a page to its end, however slow the caller is.
_MAX_EXPORT_CHARS = 256 * 1024


@dataclass(frozen=True)
class InputFilter:
    """Which inputs to read: each part that is given must fit."""

    outcome: OutcomeKind | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None
    request_id: str | None = None


class LoggedInput(NamedTuple):
    """A row of the log.

    Its data, empty where it was not wanted, its prediction and its warnings are JSON.
    """

    number: int
    request_id: str
    received_at: datetime
    model: str | None
    outcome: str
    price: float | None
    interval_lower: float | None
    interval_upper: float | None
    model_version: str | None
    duration_ms: float | None
    outcome_at: datetime | None
    actual_price: float | None
    actual_at: datetime | None
    prediction: str | None
    warnings: str | None
    data: str


class Attempt(NamedTuple):
    """What the row of an input said before it was forwarded again."""

    outcome: str
    outcome_at: datetime | None
    duration_ms: float | None


class Place(NamedTuple):
    """A place between two rows in the order of time."""

    received_at: datetime
    number: int


class Page(NamedTuple):
    """Rows, and where the next page begins, if there is one."""

    rows: list[LoggedInput]
    next: Place | None


class LogReader:
    """Reads from the database. Blocks; safe to use from many threads.

    Each method raises `InputLogUnavailable` when the log can't be read.
    """

    def __init__(self, database: LogDatabase) -> None:
        self._database = database

    def count_outcomes(self) -> dict[str, int]:
        """Return how many inputs there are with each outcome. Reads the whole of an index."""
        query = select(inputs.c.outcome, func.count()).group_by(inputs.c.outcome)
        counts = dict.fromkeys(map(str, OutcomeKind), 0)
        with self._database.transaction() as connection:
            return counts | {row[0]: row[1] for row in connection.execute(query)}

    def read_page(
        self, wanted: InputFilter, after: Place | None, limit: int, *, with_data: bool = True
    ) -> Page:
        """Return inputs, newest first, that come after a place: `limit`, or fewer large ones."""
        query = _select(wanted, with_data).order_by(inputs.c.received_at.desc(), inputs.c.id.desc())
        if after is not None:
            query = query.where(tuple_(inputs.c.received_at, inputs.c.id) < tuple_(*after))
        return self._fetch(query, limit)

    def read_one(self, request_id: str) -> tuple[LoggedInput, list[Attempt]]:
        """Return the newest input of a request, and its earlier attempts, oldest first.

        Raises:
            InputNotFound: no input has this request id.
        """
        newest = inputs.c.received_at.desc(), inputs.c.id.desc()
        query = _select(InputFilter(request_id=request_id)).order_by(*newest).limit(1)
        with self._database.transaction() as connection:
            found = connection.execute(query).first()
            if found is None:
                raise InputNotFound(request_id)
            row = LoggedInput(*found)
            earlier = connection.execute(
                select(*[attempts.c[name] for name in Attempt._fields])
                .where(attempts.c.input_id == row.number)
                .order_by(attempts.c.id)
            ).all()
        return row, [Attempt(*each) for each in earlier]

    def export(self, wanted: InputFilter) -> Iterator[list[LoggedInput]]:
        """Return an iterator over the inputs by page, oldest first.

        Between two pages no connection is in use, so that a slow caller keeps no old rows alive.
        """
        query = _select(wanted).order_by(inputs.c.received_at, inputs.c.id)
        rest = query

        def fetch() -> list[LoggedInput]:
            nonlocal rest
            rows = self._fetch(rest, _EXPORT_PAGE, _MAX_EXPORT_CHARS).rows
            if rows:
                last = tuple_(rows[-1].received_at, rows[-1].number)
                rest = query.where(tuple_(inputs.c.received_at, inputs.c.id) > last)
            return rows

        return iter(fetch, [])  # which keeps no page that it has given

    def _fetch(self, query: Select[Any], limit: int, max_chars: int = _MAX_PAGE_CHARS) -> Page:
        rows: list[LoggedInput] = []
        chars = 0
        at_once = 1 if self._database.is_sqlite else _ROWS_AT_ONCE
        query = query.limit(limit + 1)
        query = query.execution_options(stream_results=True, max_row_buffer=at_once)
        with self._database.transaction() as connection, connection.execute(query) as result:
            for each in result:
                row = LoggedInput(*each)
                chars += len(row.data) + len(row.prediction or "") + len(row.warnings or "")
                if len(rows) == limit or (rows and chars > max_chars):
                    return Page(rows, Place(rows[-1].received_at, rows[-1].number))
                rows.append(row)
        return Page(rows, None)


def _select(wanted: InputFilter, with_data: bool = True) -> Select[Any]:
    columns = [inputs.c[name] for name in LoggedInput._fields[1:-1]]
    query = select(inputs.c.id, *columns, inputs.c.data if with_data else literal(""))
    if wanted.outcome is not None:
        # A request has few inputs, and an outcome may have all: SQLite, which counts neither, must
        # not look for both by the index of the outcomes.
        outcome = inputs.c.outcome.concat("") if wanted.request_id else inputs.c.outcome
        query = query.where(outcome == wanted.outcome)
    if wanted.received_from is not None:
        query = query.where(inputs.c.received_at >= wanted.received_from.astimezone(UTC))
    if wanted.received_before is not None:
        query = query.where(inputs.c.received_at < wanted.received_before.astimezone(UTC))
    if wanted.request_id is not None:
        query = query.where(inputs.c.request_id == wanted.request_id)
    return query
