"""What happens to an input: logged, forwarded if asked for, its outcome logged."""

import asyncio
import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from gateway.errors import InputLogUnavailable, InputRejected, PredictorUnavailable
from gateway.input_log import InputLog, Outcome, OutcomeKind
from gateway.predictor_client import Answer, PredictorClient

_logger = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")

# A disk that hangs is as bad as one that is full.
_LOG_TIMEOUT_SECONDS = 5


class Intake:
    """Takes inputs in. Blocking work happens in threads: one writes the log, others call B."""

    def __init__(
        self,
        log: InputLog,
        client: PredictorClient,
        *,
        forward_timeout_seconds: float,
        forward_workers: int,
    ) -> None:
        self._log = log
        self._client = client
        self._forward_timeout_seconds = forward_timeout_seconds
        self._log_thread = ThreadPoolExecutor(1, "input-log")
        self._forward_threads = ThreadPoolExecutor(forward_workers, "forward")

    async def keep(self, data: bytes, request_id: str) -> None:
        """Log an input, given as JSON, that is not to be forwarded.

        Raises:
            InputLogUnavailable: it could not be logged.
        """
        await self._write(self._log.record, request_id, data.decode(), OutcomeKind.LOGGED)

    async def predict(self, data: bytes, request_id: str) -> Answer:
        """Log an input, given as JSON, forward it, and log what became of it.

        Raises:
            InputLogUnavailable: it could not be logged, so it was not forwarded.
            InputRejected: Service B says that it is wrong.
            PredictorUnavailable: Service B gave no usable answer in time.
        """
        number = await self._write(self._log.record, request_id, data.decode(), OutcomeKind.PENDING)
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
            await self._add_outcome(number, Outcome(kind, duration_ms, price, model_version))

    async def check_log(self) -> None:
        """Raise `InputLogUnavailable` when the log can't be written."""
        await self._write(self._log.check)

    def close(self) -> None:
        """Wait for the calls under way, then for the log."""
        self._forward_threads.shutdown(cancel_futures=True)
        self._log_thread.shutdown()

    async def _forward(self, data: bytes, request_id: str) -> Answer:
        deadline = time.monotonic() + self._forward_timeout_seconds
        call = functools.partial(self._client.predict, data, request_id, deadline)
        loop = asyncio.get_running_loop()
        try:
            # The client keeps the deadline itself; this also bounds the wait for a worker.
            async with asyncio.timeout(self._forward_timeout_seconds):
                return await loop.run_in_executor(self._forward_threads, call)
        except TimeoutError:
            raise PredictorUnavailable("no answer in time") from None

    async def _add_outcome(self, number: int, outcome: Outcome) -> None:
        try:
            await self._write(self._log.record_outcome, number, outcome)
        except InputLogUnavailable as error:
            # The input itself is safe and the caller's answer is known: say it, and go on.
            fields = {"input": number, "outcome": outcome.kind, "reason": str(error)}
            _logger.warning("outcome could not be logged", extra={"fields": fields})

    async def _write(self, write: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_LOG_TIMEOUT_SECONDS):
                return await loop.run_in_executor(
                    self._log_thread, functools.partial(write, *args, **kwargs)
                )
        except TimeoutError:
            raise InputLogUnavailable("the log did not answer in time") from None
