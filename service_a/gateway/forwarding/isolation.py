"""Isolation: when Service B fails at several inputs, each of the others still gets its answer."""

import copy
from collections.abc import Callable, Sequence

from gateway.errors import BatchFailed, GatewayError, PredictorTimeout, PredictorUnavailable
from gateway.forwarding.circuit_breaker import CircuitBreaker, CircuitState
from gateway.intake.entries import Answer, Forward

Results = list[Answer | GatewayError]

# If so many fail one by one, and none is answered, Service B is at fault, not an input.
_MAX_LONE_FAILURES = 16


class Isolation:
    """Asks again for inputs at which Service B failed together, by halves, down to single ones.

    `call` returns a result for each input, or None if they are too much for one call. A half that
    fails shows nothing of Service B, so it doesn't count for the circuit, and isn't tried again.
    The whole counts as one failure if nothing in it was answered.
    """

    def __init__(
        self, call: Callable[[Sequence[Forward]], Results | None], breaker: CircuitBreaker
    ) -> None:
        self._call = call
        self._breaker = breaker
        self._lone_failures = 0
        self._answered = False
        self._end: PredictorUnavailable | None = None  # why there are no more calls

    def run(self, forwards: Sequence[Forward]) -> Results:
        results = self._halve(forwards)
        if not self._answered:
            self._breaker.record_failure()
        return results

    def _halve(self, forwards: Sequence[Forward]) -> Results:
        # Each half takes every other one: the bad inputs of one caller stand together, and must not
        # be the first to be tried one by one.
        results: Results = [PredictorUnavailable("not asked for")] * len(forwards)
        for half in (slice(0, None, 2), slice(1, None, 2)):
            results[half] = self._try(forwards[half])
        return results

    def _try(self, forwards: Sequence[Forward]) -> Results:
        if self._breaker.state is CircuitState.OPEN:
            self._end = PredictorUnavailable("the circuit is open")
        if self._end is not None:
            return [copy.copy(self._end) for _ in forwards]
        try:
            results = self._call(forwards)
        except BatchFailed:
            return self._halve(forwards)
        except PredictorUnavailable as error:
            return self._fail(forwards, error)
        if results is None:
            return self._halve(forwards)
        self._answered = True
        self._breaker.record_success()
        return results

    def _fail(self, forwards: Sequence[Forward], error: PredictorUnavailable) -> Results:
        self._lone_failures += 1
        if isinstance(error, PredictorTimeout) or (
            not self._answered and self._lone_failures == _MAX_LONE_FAILURES
        ):
            self._end = error
        return [copy.copy(error) for _ in forwards]  # each caller raises one of its own
