"""How long the requests of the last seconds took, in little memory however many there are."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

_WINDOW_SECONDS = 10
# Each step is larger by this than the one before: a quantile is right to within half of it.
_STEP = math.log(1.05)


@dataclass
class _Second:
    second: int
    steps: Counter[int] = field(default_factory=Counter)


class Latencies:
    """Counts requests by their latency, in steps, for each second. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: deque[_Second] = deque(maxlen=_WINDOW_SECONDS + 1)

    def count(self, milliseconds: float) -> None:
        second = int(self._clock())
        if not self._seconds or self._seconds[-1].second != second:
            self._seconds.append(_Second(second))
        step = round(math.log(max(milliseconds, 0.001)) / _STEP)
        self._seconds[-1].steps[step] += 1

    def find_rate(self) -> int:
        """Return how many requests there were in the last whole second."""
        last = int(self._clock()) - 1
        return sum(each.steps.total() for each in self._seconds if each.second == last)

    def find_quantile(self, share: float) -> float | None:
        """Return how many milliseconds this share of the last 10 s took at most."""
        since = self._clock() - _WINDOW_SECONDS
        steps: Counter[int] = sum(
            (each.steps for each in self._seconds if each.second >= since), Counter()
        )
        left = share * steps.total()
        for step, requests in sorted(steps.items()):
            left -= requests
            if left <= 0:
                return round(math.exp(step * _STEP), 2)
        return None
