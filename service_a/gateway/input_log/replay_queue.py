"""The inputs in the log that are to be forwarded again."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, tuple_

from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import UNAVAILABLE, attempts, inputs
from gateway.intake.entries import Claim, OutcomeKind, Span

# No forward takes so long: what is pending after this was left by a gateway that was killed.
_ABANDONED_AFTER = timedelta(minutes=10)
_FREE_STEP_ROWS = 500
# After each step the log is free for this many times as long as the step took.
_REST_FACTOR = 2
# A hundred of the largest inputs would take a hundred megabytes.
_MAX_STEP_CHARS = 4 * 1024 * 1024

_PLACE = tuple_(inputs.c.received_at, inputs.c.id)
_FIND_ABANDONED = (
    select(inputs.c.id)
    .where(
        inputs.c.outcome == OutcomeKind.PENDING,
        inputs.c.received_at < bindparam("before"),
        func.coalesce(inputs.c.outcome_at, inputs.c.received_at) < bindparam("before"),
    )
    .limit(_FREE_STEP_ROWS)
    .with_for_update(skip_locked=True)
)
_FIND_MODELS = select(inputs.c.model).where(UNAVAILABLE).distinct()


class ReplayQueue:
    """Hands out the inputs whose forward failed, each to one taker. Blocks.

    Each method raises `InputLogUnavailable` when the log can't be used; then nothing was taken.
    """

    def __init__(self, database: LogDatabase) -> None:
        self._database = database

    def find_models(self) -> list[str | None]:
        """Return the models that inputs are waiting for, those of a killed gateway among them."""
        started = time.monotonic()
        while self._free_abandoned():
            time.sleep(_REST_FACTOR * (time.monotonic() - started))
            started = time.monotonic()
        with self._database.transaction() as connection:
            return list(connection.execute(_FIND_MODELS).scalars())

    def count(self, model: str | None, span: Span, limit: int) -> int:
        """Return how many of a model's inputs wait, `limit` if there are more."""
        return len(self._find(_select(model, span), limit)[0])

    def claim(self, model: str | None, span: Span, limit: int) -> list[Claim]:
        """Take up to `limit` of a model's inputs, oldest first; they are `pending` from now on.

        What their rows say of the forward before is kept as an attempt. If none is returned, the
        span has none left.
        """
        wanted = _select(model, span)
        while True:
            numbers, last = self._find(wanted, limit)
            if last is None:
                return []
            if claims := self._take(numbers):
                return claims
            wanted = wanted.where(tuple_(*last) < _PLACE)  # another taker was faster

    def _find(
        self, wanted: Select[Any], limit: int
    ) -> tuple[list[int], tuple[datetime, int] | None]:
        """Find inputs without a lock; return their numbers, and the place of the last one."""
        numbers: list[int] = []
        place, chars = None, 0
        with self._database.transaction() as connection:
            for row in connection.execute(wanted.limit(limit)):
                chars += row.chars
                if numbers and chars > _MAX_STEP_CHARS:
                    break
                numbers.append(row.id)
                place = (row.received_at, row.id)
        return numbers, place

    def _take(self, numbers: Sequence[int]) -> list[Claim]:
        query = select(inputs).where(inputs.c.id.in_(numbers), UNAVAILABLE)
        query = query.order_by(inputs.c.received_at, inputs.c.id).with_for_update(skip_locked=True)
        with self._begin() as connection:
            rows = connection.execute(query).all()
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
                    .values(
                        outcome=OutcomeKind.PENDING,
                        outcome_at=datetime.now(UTC),
                        duration_ms=None,
                    )
                )
        return [Claim(row.id, row.request_id, row.received_at, row.data, row.model) for row in rows]

    def _free_abandoned(self) -> int:
        """Have some of what was abandoned forwarded again; return how many."""
        with self._begin() as connection:
            before = datetime.now(UTC) - _ABANDONED_AFTER
            numbers = connection.execute(_FIND_ABANDONED, {"before": before}).scalars().all()
            connection.execute(
                inputs.update()
                .where(inputs.c.id.in_(numbers))
                .values(outcome=OutcomeKind.UNAVAILABLE)
            )
        return len(numbers)

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """Begin a transaction that reads, then writes."""
        with self._database.transaction() as connection:
            if connection.dialect.name == "sqlite":
                # One that began by reading could not write if another came in between.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection


def _select(model: str | None, span: Span) -> Select[Any]:
    chars = func.length(inputs.c.data).label("chars")
    query = select(inputs.c.id, inputs.c.received_at, chars).order_by(
        inputs.c.received_at, inputs.c.id
    )
    query = query.where(UNAVAILABLE, inputs.c.model == model)  # None becomes IS NULL
    if span.after is not None:
        query = query.where(tuple_(span.after.received_at, span.after.number) < _PLACE)
    if span.until is not None:
        query = query.where(tuple_(span.until.received_at, span.until.number) >= _PLACE)
    return query
