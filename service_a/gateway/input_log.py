"""The input log: every input on disk before anything else happens to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam

from gateway.log_database import LogDatabase
from gateway.log_tables import OutcomeKind, heartbeat, inputs

_OUTCOME_COLUMNS = ("outcome", "price", "model_version", "duration_ms", "outcome_at")
_INSERT = inputs.insert().returning(inputs.c.id, sort_by_parameter_order=True)
_ADD_OUTCOME = (
    inputs.update()
    .where(inputs.c.id == bindparam("number"))
    .values({name: bindparam(name) for name in _OUTCOME_COLUMNS})
)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class NewInput:
    """An input, given as JSON text, and the model it is for, if that isn't B's default."""

    request_id: str
    data: str
    outcome: OutcomeKind
    model: str | None = None
    received_at: datetime = field(default_factory=_now)


@dataclass(frozen=True)
class Outcome:
    """The result of forwarding an input."""

    input_number: int
    outcome: OutcomeKind
    duration_ms: float
    price: float | None = None
    model_version: str | None = None
    outcome_at: datetime = field(default_factory=_now)


@dataclass(frozen=True)
class Heartbeat:
    """Nothing to keep: shows that the log can be written."""


Entry = NewInput | Outcome | Heartbeat


class InputLog:
    """Writes entries to a database. Blocks; use it from one thread at a time."""

    def __init__(self, url: str) -> None:
        self._database = LogDatabase(url)

    def write(self, entries: Sequence[Entry]) -> list[int]:
        """Commit the entries, all or none; they are on disk when this returns.

        Returns the number of each entry's input in the log, 0 for a heartbeat.

        Raises:
            InputLogUnavailable: nothing was written. Works again by itself when it can.
        """
        with self._database.transaction() as connection:
            return _write(connection, entries)

    def close(self) -> None:
        """Close the database; a later call opens it again."""
        self._database.close()


def _write(connection: Connection, entries: Sequence[Entry]) -> list[int]:
    new = [vars(entry) for entry in entries if isinstance(entry, NewInput)]
    outcomes = [
        {"number": entry.input_number, **{name: getattr(entry, name) for name in _OUTCOME_COLUMNS}}
        for entry in entries
        if isinstance(entry, Outcome)
    ]
    numbers: Iterator[int] = iter(())
    if new:
        numbers = iter(connection.execute(_INSERT, new).scalars().all())
    if outcomes:
        connection.execute(_ADD_OUTCOME, outcomes)
    if any(isinstance(entry, Heartbeat) for entry in entries):
        connection.execute(heartbeat.delete())
        connection.execute(heartbeat.insert().values(id=1, checked_at=_now()))
    return [
        next(numbers)
        if isinstance(entry, NewInput)
        else entry.input_number
        if isinstance(entry, Outcome)
        else 0
        for entry in entries
    ]
