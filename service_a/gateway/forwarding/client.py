"""The call to Service B over HTTP."""

import copy
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from gateway.errors import BatchFailed, BatchUnsupported, GatewayError, PredictorUnavailable
from gateway.forwarding.calls import Calls, read_stages
from gateway.forwarding.circuit_breaker import CircuitBreaker
from gateway.forwarding.exchanges import Exchanges
from gateway.forwarding.isolation import Isolation
from gateway.forwarding.retries import Retries
from gateway.forwarding.single_calls import SingleCalls
from gateway.intake.entries import Answer, Forward
from gateway.telemetry.passage import Call

# Service B takes up to 8 MiB in one body.
_MAX_CALL_BYTES = 4 * 1024 * 1024


class PredictionProtocol(Protocol):
    """What a call for inputs of one model says, and what its answer means."""

    def write(self, forwards: Sequence[Forward]) -> tuple[str, bytes]:
        """Return the path and the body of the call."""

    def read(
        self, status: int, body: bytes, forwards: Sequence[Forward]
    ) -> list[Answer | GatewayError] | None:
        """Return each forward's result, or None if they are too much for one call.

        Raises `BatchFailed` or `PredictorUnavailable` if there is none.
        """


class PredictorClient:
    """Asks Service B for predictions. Blocks; safe to use from many threads."""

    def __init__(
        self,
        exchanges: Exchanges,
        breaker: CircuitBreaker,
        retries: Retries,
        calls: Calls,
        protocol: PredictionProtocol,
    ) -> None:
        self._exchanges = exchanges
        self._calls = calls
        self._breaker = breaker
        self._retries = retries
        self._protocol = protocol
        self._single_calls = SingleCalls()

    def predict(self, forwards: Sequence[Forward], deadline: float) -> list[Answer | GatewayError]:
        """Ask for predictions of one model, and return each forward's result.

        A result is an answer; `InputRejected`, when Service B says that the data is wrong;
        `ModelUnknown`; or `PredictorUnavailable` for any other failure, such as that `deadline`, of
        `time.monotonic()`, has passed.
        """
        if len(forwards) > 1 and self._single_calls.are_needed:
            return self._single_calls.run(self.predict, forwards, deadline)
        if len(forwards) > 1 and sum(len(forward.data) for forward in forwards) > _MAX_CALL_BYTES:
            return self._predict_halves(forwards, deadline)
        try:
            results = self._retries.run(lambda: self._call(forwards, deadline), deadline)
        except BatchUnsupported:
            return self._single_calls.find_out(self.predict, forwards, deadline)
        except BatchFailed:
            isolation = Isolation(partial(self._call, deadline=deadline), self._breaker)
            return isolation.run(forwards)
        except PredictorUnavailable as error:
            return [copy.copy(error) for _ in forwards]  # each caller raises one of its own
        if results is None:
            return self._predict_halves(forwards, deadline)
        return results

    def _predict_halves(
        self, forwards: Sequence[Forward], deadline: float
    ) -> list[Answer | GatewayError]:
        half = len(forwards) // 2
        return [
            *self.predict(forwards[:half], deadline),
            *self.predict(forwards[half:], deadline),
        ]

    def _call(
        self, forwards: Sequence[Forward], deadline: float
    ) -> list[Answer | GatewayError] | None:
        """Return each forward's result, or None if they are too much for one call."""
        call = self._calls.begin(forwards)
        results: list[Answer | GatewayError] | None = []
        try:
            results = self._ask(call, forwards, deadline)
        finally:
            self._calls.end(call, results)
        return results

    def _ask(
        self, call: Call, forwards: Sequence[Forward], deadline: float
    ) -> list[Answer | GatewayError] | None:
        path, content = self._protocol.write(forwards)
        request_ids = [forward.request_id for forward in forwards]
        reply = self._exchanges.post(path, content, request_ids, call.traceparent, deadline)
        call.stages = read_stages(reply.server_timing)
        return self._protocol.read(reply.status, reply.body, forwards)
