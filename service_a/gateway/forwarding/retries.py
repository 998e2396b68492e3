"""Retries: a failed call to Service B is made once more, within a budget."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gateway.errors import BatchFailed, PredictorTimeout, PredictorUnavailable
from gateway.forwarding.circuit_breaker import CircuitBreaker, CircuitState

Result = TypeVar("Result")

# Retries of several gateways must not reach B in one moment.
_MAX_PAUSE_SECONDS = 0.05


@dataclass
class _Slice:
    """What happened in one second."""

    second: int
    calls: int = 0
    retries: int = 0


class RetryBudget:
    """Allows retries up to a share of the calls of the latest `window_seconds`.

    Pure. Safe to use from many threads.
    """

    def __init__(
        self,
        *,
        share: float,
        window_seconds: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._window_seconds = window_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._slices: deque[_Slice] = deque()

    def count_call(self) -> None:
        """Count a call that is no retry."""
        with self._lock:
            self._now().calls += 1

    def take_retry(self) -> bool:
        """Say whether one more retry is within the budget, and count it if so."""
        with self._lock:
            now = self._now()
            calls = sum(each.calls for each in self._slices)
            retries = sum(each.retries for each in self._slices)
            if retries + 1 > self._share * calls:
                return False
            now.retries += 1
            return True

    def _now(self) -> _Slice:
        second = int(self._clock())
        while self._slices and self._slices[0].second <= second - self._window_seconds:
            self._slices.popleft()
        if not self._slices or self._slices[-1].second != second:
            self._slices.append(_Slice(second))
        return self._slices[-1]


class Retries:
    """Makes calls to Service B, each at most twice. Safe to use from many threads."""

    def __init__(self, breaker: CircuitBreaker, budget: RetryBudget) -> None:
        self._breaker = breaker
        self._budget = budget

    def run(self, call: Callable[[], Result], deadline: float) -> Result:
        """Return what the call returns. When Service B fails, it raises `PredictorUnavailable`.

        A prediction changes nothing, so the call may be made again whatever B did. It is not made
        again after a timeout, which would give more work to a service that is slow already. Nor is
        a batch at which B failed: its inputs are sent again in smaller parts, and it doesn't count
        for the circuit.

        Raises:
            BatchFailed: Service B failed at several inputs.
            PredictorUnavailable: the calls failed, or the circuit is open.
        """
        if self._breaker.state is CircuitState.OPEN:
            raise PredictorUnavailable("the circuit is open")
        self._budget.count_call()
        try:
            return self._run_once(call)
        except (PredictorTimeout, BatchFailed):
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
            return self._run_once(call)

    def _run_once(self, call: Callable[[], Result]) -> Result:
        try:
            result = call()
        except BatchFailed:
            raise
        except PredictorUnavailable:
            self._breaker.record_failure()
            raise
        self._breaker.record_success()
        return result
