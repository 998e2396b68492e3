"""What happens to an input: logged, forwarded if asked for, its outcome logged."""

import asyncio
import logging
import time

from gateway.batcher import Batcher
from gateway.errors import (
    InputLogUnavailable,
    InputRejected,
    PredictorUnavailable,
    TooBusy,
)
from gateway.input_log import Entry, Heartbeat, InputLog, NewInput, Outcome, OutcomeKind
from gateway.predictor_client import Answer, Forward, PredictorClient

_logger = logging.getLogger(__name__)

# A disk that hangs is as bad as one that is full.
_LOG_TIMEOUT_SECONDS = 5
_LOG_MAX_BATCH = 256
_LOG_MAX_WAITING = 10_000


class Intake:
    """Takes inputs in. What arrives together is logged in one commit and forwarded in one call."""

    def __init__(
        self,
        log: InputLog,
        client: PredictorClient,
        *,
        forward_timeout_seconds: float,
        forward_max_batch: int,
        forward_max_waiting: int,
    ) -> None:
        self._forward_timeout_seconds = forward_timeout_seconds
        self._log: Batcher[Entry, int] = Batcher(
            log.write, name="input-log", max_batch=_LOG_MAX_BATCH, max_waiting=_LOG_MAX_WAITING
        )
        self._forwards: Batcher[Forward, Answer] = Batcher(
            client.predict,
            name="forward",
            max_batch=forward_max_batch,
            max_waiting=forward_max_waiting,
        )

    async def keep(self, data: bytes, request_id: str) -> None:
        """Log an input, given as JSON, that is not to be forwarded.

        Raises:
            InputLogUnavailable: it could not be logged.
        """
        await self._write(NewInput(request_id, data.decode(), OutcomeKind.LOGGED))

    async def predict(self, data: bytes, request_id: str) -> Answer:
        """Log an input, given as JSON, forward it, and log what became of it.

        Raises:
            InputLogUnavailable: it could not be logged, so it was not forwarded.
            InputRejected: Service B says that it is wrong.
            PredictorUnavailable: Service B gave no usable answer in time.
        """
        number = await self._write(NewInput(request_id, data.decode(), OutcomeKind.PENDING))
        started = time.monotonic()
        kind, price, model_version = OutcomeKind.UNAVAILABLE, None, None
        try:
            answer = await self._forward(data, request_id)
            kind = OutcomeKind.PREDICTED
            price, model_version = answer.price, answer.model_version
        except InputRejected:
            kind = OutcomeKind.REJECTED
            raise
        else:
            return answer
        finally:
            duration_ms = round((time.monotonic() - started) * 1000, 1)
            await self._add(Outcome(number, kind, duration_ms, price, model_version))

    async def check_log(self) -> None:
        """Raise `InputLogUnavailable` when the log can't be written."""
        await self._write(Heartbeat())

    async def close(self) -> None:
        """Finish the forwards, then the log."""
        await self._forwards.close()
        await self._log.close()

    async def _forward(self, data: bytes, request_id: str) -> Answer:
        deadline = time.monotonic() + self._forward_timeout_seconds
        try:
            # The client keeps the deadline itself; this also bounds the wait for a turn.
            async with asyncio.timeout(self._forward_timeout_seconds):
                return await self._forwards.submit(Forward(data, request_id, deadline))
        except TimeoutError:
            raise PredictorUnavailable("no answer in time") from None
        except TooBusy as error:
            raise PredictorUnavailable(str(error)) from None

    async def _add(self, outcome: Outcome) -> None:
        try:
            await self._write(outcome)
        except InputLogUnavailable as error:
            # The input itself is safe and the caller's answer is known: say it, and go on.
            fields = {"input": outcome.input_number, "outcome": outcome.outcome, "reason": error}
            _logger.warning("outcome could not be logged", extra={"fields": fields})

    async def _write(self, entry: Entry) -> int:
        try:
            async with asyncio.timeout(_LOG_TIMEOUT_SECONDS):
                return await self._log.submit(entry)
        except TimeoutError:
            raise InputLogUnavailable("the log did not answer in time") from None
        except TooBusy as error:
            raise InputLogUnavailable(str(error)) from None
