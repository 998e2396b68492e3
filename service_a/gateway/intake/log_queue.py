"""The queue before the input log: what comes together is written in one commit."""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from gateway.errors import InputLogUnavailable, TooBusy
from gateway.intake.batcher import Batcher
from gateway.intake.entries import Answer, Entry, Forward, Heartbeat, NewInput, Outcome
from gateway.intake.forward_queue import ForwardQueue
from gateway.intake.groups import Group
from gateway.intake.ports import Counts, InputLog

_logger = logging.getLogger(__name__)

# A disk that hangs is as bad as one that is full.
_TIMEOUT_SECONDS = 5
_MAX_BATCH = 256
_MAX_WAITING = 10_000
# Each commit waits for the disk, so outcomes go along with the next input's. Fewer than this aren't
# worth making that one longer: they wait for more of them, or for some time.
_OUTCOMES_AT_ONCE = 4
_OUTCOME_DELAY_SECONDS = 0.05
# Writing so many, as after a public batch, takes longer than a commit waits for the disk: the next
# input shouldn't have to wait for that.
_MANY_OUTCOMES = 256
# Outcomes that could not be written are kept for the next try: some megabytes of them, and more
# than the inputs that can be under way when the log fails.
_MAX_OUTCOMES = 20_000
_RETRY_SECONDS = 1
# A stop must not take longer than the log can hang.
_CLOSE_SECONDS = 2
# An input that was logged so recently shows that the log can be written.
_PROOF_SECONDS = 0.1


class LogQueue:
    """Has entries written to the log. Belongs to one event loop."""

    def __init__(
        self, log: InputLog, counts: Counts, *, timeout_seconds: float = _TIMEOUT_SECONDS
    ) -> None:
        self._log = log
        self._counts = counts
        self._batcher: Batcher[Sequence[Entry], Sequence[int]] = Batcher(
            self._commit,
            name="input-log",
            max_batch=_MAX_BATCH,
            max_waiting=_MAX_WAITING,
            max_seconds=timeout_seconds,
        )
        self._logged_at = -math.inf  # of `time.monotonic()`
        self._outcomes: list[Outcome] = []
        self._outcome_timer: asyncio.TimerHandle | None = None
        self._retrying = False
        self._closing = False

    @property
    def waiting(self) -> int:
        return self._batcher.waiting

    async def write(self, entries: Sequence[Entry]) -> None:
        """Return when the entries are on disk.

        Raises:
            InputLogUnavailable: they could not be logged.
        """
        try:
            await self._batcher.submit(entries)
        except (TimeoutError, TooBusy) as error:
            raise explain(error) from None

    def write_before(
        self, inputs: Sequence[NewInput], forward_queue: ForwardQueue, forwards: Sequence[Forward]
    ) -> Group[Answer]:
        """Have inputs written, then forwarded. `before` of the group has their numbers."""
        if len(self._outcomes) >= _OUTCOMES_AT_ONCE and not self._retrying:
            self._write_outcomes()
        return self._batcher.put_before(inputs, forward_queue, forwards)

    def write_later(self, outcomes: Sequence[Outcome]) -> None:
        """Have outcomes written with an input that comes soon, or by themselves.

        Nobody waits for it: the inputs are safe, and the answers known. What can't be written is
        tried again. What is lost all the same stays `pending` in the log.
        """
        self._outcomes += outcomes
        if len(self._outcomes) >= _MANY_OUTCOMES and not self._retrying:
            self._write_outcomes()
        else:
            self._write_outcomes_in(_RETRY_SECONDS if self._retrying else _OUTCOME_DELAY_SECONDS)

    async def check(self) -> None:
        """Raise `InputLogUnavailable` when the log can't be written.

        An input that was logged a moment ago shows that it can, and saves waiting for a turn.
        """
        if time.monotonic() - self._logged_at > _PROOF_SECONDS:
            await self.write([Heartbeat()])

    async def catch_up(self) -> None:
        """Wait until the log has all outcomes that there are, or can't be written."""
        self._write_outcomes()
        with suppress(InputLogUnavailable):
            await self.write([])

    async def close(self) -> None:
        """Write what waits, tried once. What takes too long is lost."""
        self._closing = True
        self._write_outcomes()
        await self._batcher.close(_CLOSE_SECONDS)
        await asyncio.sleep(0)  # what was refused is reported as lost

    def _write_outcomes(self) -> None:
        if self._outcome_timer is not None:
            self._outcome_timer.cancel()
            self._outcome_timer = None
        outcomes, self._outcomes = self._outcomes, []
        if outcomes:
            written = self._batcher.put([outcomes]).future
            written.add_done_callback(partial(self._end_outcomes, outcomes))

    def _write_outcomes_in(self, seconds: float) -> None:
        if self._outcome_timer is None:
            loop = asyncio.get_running_loop()
            self._outcome_timer = loop.call_later(seconds, self._write_outcomes)

    def _end_outcomes(
        self, outcomes: Sequence[Outcome], written: asyncio.Future[list[Sequence[int] | Exception]]
    ) -> None:
        error = written.exception() or written.result()[0]
        self._retrying = isinstance(error, BaseException)
        if not isinstance(error, BaseException):
            return
        self._outcomes[:0] = outcomes
        lost = max(0, len(self._outcomes) - (0 if self._closing else _MAX_OUTCOMES))
        del self._outcomes[:lost]
        fields = {
            "lost": lost,
            "kept": len(self._outcomes),
            "reason": str(error) or type(error).__name__,
        }
        _logger.warning("outcomes could not be logged", extra={"fields": fields})
        if self._outcomes:
            self._write_outcomes_in(_RETRY_SECONDS)

    def _commit(self, writings: Sequence[Sequence[Entry]], _: float) -> list[list[int]]:
        """Commit what several callers want written, all of it or nothing.

        Returns for each of them the numbers of the new inputs.
        """
        entries = [entry for writing in writings for entry in writing]
        if not entries:
            return [[] for _ in writings]
        started = time.monotonic()
        try:
            numbers = self._log.write(entries)
        except Exception:
            self._logged_at = -math.inf
            raise
        ended = time.monotonic()
        self._counts.count_commit(len(entries), len(numbers), ended - started)
        if numbers:
            self._logged_at = ended
        left = iter(numbers)
        return [
            [next(left) for each in writing if isinstance(each, NewInput)] for writing in writings
        ]


def explain(error: TimeoutError | TooBusy) -> InputLogUnavailable:
    """Turn an error of the queue into that of the log: to a caller they are the same."""
    return InputLogUnavailable(str(error) or "the log did not answer in time")
