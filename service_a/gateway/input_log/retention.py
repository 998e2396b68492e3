"""Forgetting old inputs, beside the traffic.

Several gateways do it on one log: each takes rows that no other has taken, and waits for none.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, func, select

from gateway.errors import InputLogUnavailable
from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import attempts, inputs

_logger = logging.getLogger(__name__)

_STEP_ROWS = 200
_ROUND_SECONDS = 60
# After each step the log is free for this many times as long as the step took.
_REST_FACTOR = 4


class Retention:
    """Deletes the inputs that are too old or too many. Off when neither limit is given."""

    def __init__(
        self, database: LogDatabase, *, max_days: float | None, max_inputs: int | None
    ) -> None:
        self._database = database
        self._max_days = max_days
        self._max_inputs = max_inputs

    async def run(self) -> None:
        """Work until cancelled: in rounds, each in steps that hold the log's lock for a moment."""
        while self._max_days is not None or self._max_inputs is not None:
            deleted = 0
            try:
                while True:
                    started = time.monotonic()
                    step = await asyncio.to_thread(self.delete_step)
                    if not step:
                        break
                    deleted += step
                    await asyncio.sleep(_REST_FACTOR * (time.monotonic() - started))
            except InputLogUnavailable as error:
                _logger.warning("retention failed", extra={"fields": {"reason": str(error)}})
            if deleted:
                _logger.info("old inputs are deleted", extra={"fields": {"inputs": deleted}})
            await asyncio.sleep(_ROUND_SECONDS)

    def delete_step(self) -> int:
        """Delete some of the inputs that are to go, and return how many.

        Raises:
            InputLogUnavailable: nothing was deleted.
        """
        with self._database.transaction() as connection:
            for query in self._find_surplus():
                # Also not for an outcome that is just being added.
                query = query.limit(_STEP_ROWS).with_for_update(skip_locked=True)
                numbers = connection.execute(query).scalars().all()
                if numbers:
                    connection.execute(attempts.delete().where(attempts.c.input_id.in_(numbers)))
                    connection.execute(inputs.delete().where(inputs.c.id.in_(numbers)))
                    return len(numbers)
        return 0

    def _find_surplus(self) -> list[Select[tuple[int]]]:
        queries = []
        if self._max_days is not None:
            oldest = datetime.now(UTC) - timedelta(days=self._max_days)
            by_time = inputs.c.received_at, inputs.c.id
            queries.append(
                select(inputs.c.id).where(inputs.c.received_at < oldest).order_by(*by_time)
            )
        if self._max_inputs is not None:
            # By number, as counting the rows of a large log takes seconds.
            newest = select(func.max(inputs.c.id)).scalar_subquery()
            queries.append(
                select(inputs.c.id)
                .where(inputs.c.id <= newest - self._max_inputs)
                .order_by(inputs.c.id)
            )
        return queries
