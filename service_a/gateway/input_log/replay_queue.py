"""The inputs in the log that are to be forwarded again."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, func, select

from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import attempts, inputs
from gateway.intake.entries import Claim, OutcomeKind

# No forward takes so long: what is pending after this was left by a gateway that was killed.
_ABANDONED_AFTER = timedelta(minutes=10)

_FREE_ABANDONED = (
    inputs.update()
    .where(
        inputs.c.outcome == OutcomeKind.PENDING,
        inputs.c.received_at < bindparam("before"),
        func.coalesce(inputs.c.outcome_at, inputs.c.received_at) < bindparam("before"),
    )
    .values(outcome=OutcomeKind.UNAVAILABLE)
)
_FIND_UNAVAILABLE = (
    select(inputs)
    .where(inputs.c.outcome == OutcomeKind.UNAVAILABLE)
    .order_by(inputs.c.received_at, inputs.c.id)
    .with_for_update(skip_locked=True)
)


class ReplayQueue:
    """Hands out the inputs whose forward failed, each to one taker. Blocks."""

    def __init__(self, database: LogDatabase) -> None:
        self._database = database

    def claim(self, limit: int) -> list[Claim]:
        """Take up to `limit` inputs, oldest first; they are `pending` from now on.

        What their rows say of the forward before is kept as an attempt.

        Raises:
            InputLogUnavailable: nothing was taken.
        """
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            if connection.dialect.name == "sqlite":
                # A transaction that begins by reading could not write if another one came between.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.execute(_FREE_ABANDONED, {"before": now - _ABANDONED_AFTER})
            rows = connection.execute(_FIND_UNAVAILABLE.limit(limit)).all()
            if rows:
                connection.execute(
                    attempts.insert(),
                    [
                        {
                            "input_id": row.id,
                            "outcome": row.outcome,
                            "outcome_at": row.outcome_at,
                            "duration_ms": row.duration_ms,
                        }
                        for row in rows
                    ],
                )
                connection.execute(
                    inputs.update()
                    .where(inputs.c.id.in_([row.id for row in rows]))
                    .values(outcome=OutcomeKind.PENDING, outcome_at=now, duration_ms=None)
                )
        return [Claim(row.id, row.request_id, row.data, row.model) for row in rows]
