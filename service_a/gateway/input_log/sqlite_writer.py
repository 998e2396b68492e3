"""Writing to the input log in SQLite, many rows with one statement.

Python's driver lets go of the interpreter's lock for every row of an `executemany`, and must
then wait for its turn: with a busy event loop beside it that takes far longer than the writing.
"""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from gateway.intake.entries import NewInput, Outcome

# SQLite takes 32,766 values in one statement.
_MAX_ROWS = 1000


def insert_inputs(connection: sqlite3.Connection, new: Sequence[NewInput]) -> Sequence[int]:
    """Insert rows; return their numbers."""
    last = 0
    for start in range(0, len(new), _MAX_ROWS):
        rows = new[start : start + _MAX_ROWS]
        values: list[object] = []
        for each in rows:
            values += (
                each.request_id,
                _write_time(each.received_at),
                each.data,
                each.outcome.value,
                each.model,
            )
        last = connection.execute(_write_insert(len(rows)), values).lastrowid or 0
    # Nobody else writes before the commit, so the numbers follow each other.
    return range(last - len(new) + 1, last + 1)


def add_outcomes(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
    """Update the rows of the outcomes' inputs."""
    for start in range(0, len(outcomes), _MAX_ROWS):
        rows = outcomes[start : start + _MAX_ROWS]
        values: list[object] = []
        for each in rows:
            values += (
                each.input_number,
                each.outcome.value,
                each.price,
                each.model_version,
                each.duration_ms,
                _write_time(each.outcome_at),
            )
        connection.execute(_write_update(len(rows)), values)


def beat(connection: sqlite3.Connection) -> None:
    """Rewrite the row that shows that the log can be written."""
    connection.execute(
        "REPLACE INTO heartbeat (id, checked_at) VALUES (1, ?)", [_write_time(datetime.now(UTC))]
    )


@lru_cache(maxsize=1)  # the inputs of one request have one time
def _write_time(time: datetime) -> str:
    """Write a time in UTC as SQLAlchemy does it for SQLite."""
    return time.replace(tzinfo=None).isoformat(" ", "microseconds")


@lru_cache
def _write_insert(rows: int) -> str:
    columns = "request_id, received_at, data, outcome, model"
    return f"INSERT INTO inputs ({columns}) VALUES {_write_places(rows, 5)}"  # noqa: S608 - constants


@lru_cache
def _write_update(rows: int) -> str:
    columns = (
        "outcome = new.column2, price = new.column3, model_version = new.column4, "
        "duration_ms = new.column5, outcome_at = new.column6"
    )
    values = f"(VALUES {_write_places(rows, 6)}) AS new"
    return f"UPDATE inputs SET {columns} FROM {values} WHERE inputs.id = new.column1"  # noqa: S608


def _write_places(rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)
