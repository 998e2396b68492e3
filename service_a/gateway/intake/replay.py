"""Forwarding again what Service B could not answer."""

import asyncio
from dataclasses import dataclass

from gateway.errors import InputRejected, ModelUnknown, PredictorUnavailable
from gateway.intake.intake import Intake
from gateway.intake.ports import ReplayQueue
from gateway.telemetry.trace import Trace

# Claimed and forwarded at once, so that little is left pending if the gateway is killed.
_STEP_INPUTS = 100


@dataclass
class Replayed:
    """What became of the inputs that were forwarded again."""

    predicted: int = 0
    rejected: int = 0
    unavailable: int = 0


class Replay:
    """Takes inputs from the queue and forwards them."""

    def __init__(self, queue: ReplayQueue, intake: Intake) -> None:
        self._queue = queue
        self._intake = intake

    async def run(self, limit: int, trace: Trace) -> Replayed:
        """Forward up to `limit` inputs, oldest first. Ends early while Service B is unavailable.

        Raises:
            InputLogUnavailable: the log could not be read or written.
        """
        replayed = Replayed()
        while limit > 0:
            claims = await asyncio.to_thread(self._queue.claim, min(limit, _STEP_INPUTS))
            if not claims:
                break
            results = await self._intake.predict_again(claims, trace)
            failed = [isinstance(result, PredictorUnavailable) for result in results]
            rejected = [isinstance(result, InputRejected | ModelUnknown) for result in results]
            replayed.unavailable += sum(failed)
            replayed.rejected += sum(rejected)
            replayed.predicted += len(results) - sum(failed) - sum(rejected)
            if all(failed):
                break
            limit -= len(claims)
        return replayed
