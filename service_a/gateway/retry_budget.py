"""The retry budget: retries help with a rare failure, and make an overload worse."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


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
