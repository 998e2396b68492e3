"""Forwarding again what Service B could not answer."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import (
    GatewayError,
    InputFailed,
    InputRejected,
    ModelUnknown,
    PredictorUnavailable,
)
from gateway.intake.entries import Answer, Claim, Span
from gateway.intake.intake import Intake
from gateway.intake.ports import ReplayQueue
from gateway.telemetry.trace import Trace

# Claimed and forwarded at once, so that little is left pending if the gateway is killed.
_STEP_INPUTS = 100
# A circuit that was opened by inputs that can't be predicted is waited for this often, this long.
_MAX_WAITS = 3
_WAIT_SECONDS = 1.5


@dataclass
class Replayed:
    """What became of the inputs that were forwarded again."""

    predicted: int = 0
    rejected: int = 0
    unavailable: int = 0

    def add(self, results: Sequence[Answer | GatewayError]) -> None:
        failed = sum(isinstance(result, PredictorUnavailable) for result in results)
        rejected = sum(isinstance(result, InputRejected | ModelUnknown) for result in results)
        self.unavailable += failed
        self.rejected += rejected
        self.predicted += len(results) - failed - rejected


class _Turns:
    """One model's turns: from a place to the newest input, then from the oldest to that place."""

    def __init__(self, model: str | None, begin: Claim | None) -> None:
        self.model = model
        self.span = Span(after=begin)
        self._begin = begin
        self.may_wait = False
        self.waits = 0

    def go_on_with_the_oldest(self) -> bool:
        """Return false if that is done, or was where it began."""
        if self._begin is None or self.span.until is not None:
            return False
        self.span = Span(until=self._begin)
        return True


class Replay:
    """Takes inputs from the queue and forwards them."""

    def __init__(self, queue: ReplayQueue, intake: Intake) -> None:
        self._queue = queue
        self._intake = intake
        # Where each model's circuit ended a run: the next one begins behind the inputs that failed.
        self._ended_at: dict[str | None, Claim] = {}

    async def run(self, limit: int, trace: Trace) -> Replayed:
        """Forward inputs until `limit` are answered, or there are none left; oldest first.

        What fails is passed over. The models take turns, and one is left alone as soon as its
        circuit is open, or has been open several times because of inputs.

        Raises:
            InputLogUnavailable: the log could not be read or written.
        """
        replayed = Replayed()
        models = await asyncio.to_thread(self._queue.find_models)
        ended_at, self._ended_at = self._ended_at, {}
        waiting = deque(_Turns(model, ended_at.get(model)) for model in models)
        while waiting and (left := limit - replayed.predicted - replayed.rejected) > 0:
            turns = waiting.popleft()
            model, span, step = turns.model, turns.span, min(left, _STEP_INPUTS)
            if not (self._intake.admits(model) or await self._wait(turns)):
                replayed.unavailable += await asyncio.to_thread(
                    self._queue.count, model, span, step
                )
                if span.after:
                    self._ended_at[model] = span.after
                continue
            claims = await asyncio.to_thread(self._queue.claim, model, span, step)
            if claims:
                span.after = claims[-1]
                results = await self._intake.predict_again(model, claims, trace)
                replayed.add(results)
                # Then it isn't sure that Service B is down.
                turns.may_wait = any(isinstance(each, InputFailed) for each in results)
            if claims or turns.go_on_with_the_oldest():
                waiting.append(turns)
        return replayed

    async def _wait(self, turns: _Turns) -> bool:
        """Wait for a circuit that inputs of this run have opened; say whether it admits more."""
        if not turns.may_wait or turns.waits == _MAX_WAITS:
            return False
        turns.waits += 1
        for _ in range(10):
            await asyncio.sleep(_WAIT_SECONDS / 10)
            if self._intake.admits(turns.model):
                return True
        return False
