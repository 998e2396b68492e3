"""The input log: every input on disk before anything else happens to it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam

from gateway.input_log import sqlite_writer
from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import heartbeat, inputs
from gateway.intake.entries import Entry, Heartbeat, NewInput, Outcome

_OUTCOME_COLUMNS = ("outcome", "price", "model_version", "duration_ms", "outcome_at")
_INSERT = inputs.insert().returning(inputs.c.id, sort_by_parameter_order=True)
_ADD_OUTCOME = (
    inputs.update()
    .where(inputs.c.id == bindparam("input_number"))
    .values({name: bindparam(name) for name in _OUTCOME_COLUMNS})
)


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
        new = [entry for entry in entries if isinstance(entry, NewInput)]
        outcomes = [entry for entry in entries if isinstance(entry, Outcome)]
        beats = any(isinstance(entry, Heartbeat) for entry in entries)
        if self._database.is_sqlite:
            with self._database.sqlite_transaction() as sqlite:
                numbers = iter(sqlite_writer.insert_inputs(sqlite, new))
                sqlite_writer.add_outcomes(sqlite, outcomes)
                if beats:
                    sqlite_writer.beat(sqlite)
        else:
            with self._database.transaction() as connection:
                numbers = iter(_insert(connection, new))
                _update(connection, outcomes)
                if beats:
                    _beat(connection)
        return [
            next(numbers)
            if isinstance(entry, NewInput)
            else entry.input_number
            if isinstance(entry, Outcome)
            else 0
            for entry in entries
        ]

    def close(self) -> None:
        """Close the database; a later call opens it again."""
        self._database.close()


def _insert(connection: Connection, new: Sequence[NewInput]) -> Sequence[int]:
    if not new:
        return []
    return connection.execute(_INSERT, [asdict(each) for each in new]).scalars().all()


def _update(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    if outcomes:
        connection.execute(_ADD_OUTCOME, [asdict(each) for each in outcomes])


def _beat(connection: Connection) -> None:
    connection.execute(heartbeat.delete())
    connection.execute(heartbeat.insert().values(id=1, checked_at=datetime.now(UTC)))
