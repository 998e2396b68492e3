"""How often to ask Service B, and when to leave it alone."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from gateway.circuit_breaker import CircuitBreaker, CircuitState
from gateway.errors import PredictorTimeout, PredictorUnavailable
from gateway.retry_budget import RetryBudget

Result = TypeVar("Result")

# Retries of several gateways must not reach B in one moment.
_MAX_PAUSE_SECONDS = 0.05


class Patience:
    """Makes calls to Service B, each at most twice. Safe to use from many threads."""

    def __init__(self, breaker: CircuitBreaker, budget: RetryBudget) -> None:
        self._breaker = breaker
        self._budget = budget

    def ask(self, call: Callable[[], Result], deadline: float) -> Result:
        """Return what the call returns, which tells a failure of B by `PredictorUnavailable`.

        A prediction changes nothing, so B may be asked again whatever it did. A timeout is
        not tried again: who has been slow would get more to do.

        Raises:
            PredictorUnavailable: the calls failed, or the circuit is open.
        """
        if self._breaker.state is CircuitState.OPEN:
            raise PredictorUnavailable("the circuit is open")
        self._budget.count_call()
        try:
            return self._count(call)
        except PredictorTimeout:
            raise
        except PredictorUnavailable:
            pause_seconds = random.uniform(0, _MAX_PAUSE_SECONDS)  # noqa: S311 - no secret
            if (
                self._breaker.state is not CircuitState.CLOSED
                or time.monotonic() + pause_seconds >= deadline
                or not self._budget.take_retry()
            ):
                raise
            time.sleep(pause_seconds)
            return self._count(call)

    def _count(self, call: Callable[[], Result]) -> Result:
        try:
            result = call()
        except PredictorUnavailable:
            self._breaker.record_failure()
            raise
        self._breaker.record_success()
        return result
