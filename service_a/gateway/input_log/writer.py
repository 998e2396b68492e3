"""Writing to the input log: every input on disk before anything else happens to it."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, false, select

from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import OUTCOME_COLUMNS, heartbeat, inputs
from gateway.intake.entries import Entry, Heartbeat, NewInput, Outcome

_INSERT = inputs.insert().returning(inputs.c.id, sort_by_parameter_order=True)
_ADD_OUTCOME = (
    inputs.update()
    .where(
        inputs.c.id == bindparam("input_number"),
        inputs.c.request_id == bindparam("input_request_id"),
    )
    .values({name: bindparam(name) for name in OUTCOME_COLUMNS})
)
# It inserts nothing, and fails as an insert would when the table is gone or may not be written.
_TRY_INSERT = inputs.insert().from_select(
    ["request_id"], select(inputs.c.request_id).where(false())
)
# Nobody beats any more who hasn't for so long.
_HEARTBEAT_AGE = timedelta(days=1)


class LogWriter:
    """Writes entries to a database. Blocks; use it from one thread at a time."""

    def __init__(self, database: LogDatabase) -> None:
        self._database = database
        # Gateways that shared a row would wait for each other, or both insert it.
        self._heartbeat_id = 1 + secrets.randbelow(2**31 - 1)

    def write(self, entries: Sequence[Entry]) -> list[int]:
        """Commit the entries, all or none; they are on disk when this returns.

        Returns the numbers that the new inputs have in the log, in order.

        Raises:
            InputLogUnavailable: nothing was written. Works again by itself when it can.
        """
        new = [entry for entry in entries if isinstance(entry, NewInput)]
        outcomes = [entry for entry in entries if isinstance(entry, Outcome)]
        beats = any(isinstance(entry, Heartbeat) for entry in entries)
        return list(self._commit(new, outcomes, beats=beats))

    def _commit(
        self, new: Sequence[NewInput], outcomes: Sequence[Outcome], *, beats: bool
    ) -> Sequence[int]:
        """Write all of it in one transaction; return the numbers of the new inputs."""
        numbers: Sequence[int] = []

        def has_last(connection: Connection) -> bool:
            its_row = inputs.c.id == numbers[-1], inputs.c.request_id == new[-1].request_id
            return connection.execute(select(inputs.c.id).where(*its_row)).first() is not None

        with self._database.transaction(has_last if new else None) as connection:
            if new:
                rows = [asdict(each) for each in new]
                numbers = connection.execute(_INSERT, rows).scalars().all()
            if outcomes:
                connection.execute(_ADD_OUTCOME, [_describe(each) for each in outcomes])
            if beats:
                self._beat(connection)
        return numbers

    def _beat(self, connection: Connection) -> None:
        """Rewrite this gateway's row; the first time, also delete those of gateways long gone."""
        connection.execute(_TRY_INSERT)
        now = datetime.now(UTC)
        its_row = heartbeat.c.id == self._heartbeat_id
        if connection.execute(heartbeat.update().where(its_row).values(checked_at=now)).rowcount:
            return
        old = select(heartbeat.c.id).where(heartbeat.c.checked_at < now - _HEARTBEAT_AGE)
        old = old.with_for_update(skip_locked=True)  # another gateway may be at it
        connection.execute(heartbeat.delete().where(heartbeat.c.id.in_(old)))
        connection.execute(heartbeat.insert().values(id=self._heartbeat_id, checked_at=now))

    def close(self) -> None:
        """Close what this keeps open itself: nothing, since it borrows its connections."""


def _describe(outcome: Outcome) -> dict[str, object]:
    values = asdict(outcome)
    # SQLAlchemy would take the name of a column for a value to set.
    return {"input_request_id": values.pop("request_id"), **values}
