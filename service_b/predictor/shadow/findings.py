"""What came of comparing a version with the one that serves."""

import heapq
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from predictor.shadow.difference import Difference
from predictor.telemetry.comparisons import ComparisonSeries

# The mean, the median and the percentile are those of so many latest inputs.
_MOST_SIZES = 10_000
_MOST_LARGEST = 5


@dataclass(frozen=True)
class Summary:
    """Counts since a time; what nothing can be said of yet is None."""

    since: datetime | None = None
    compared: int = 0
    failed: int = 0
    dropped: int = 0
    within_interval: float | None = None
    mean_difference: float | None = None
    median_difference: float | None = None
    p90_difference: float | None = None
    largest: Sequence[Difference] = ()


class Findings:
    """Counts and differences of one pair of versions. Safe to use from many threads."""

    def __init__(self, pair: tuple[str, str], series: ComparisonSeries) -> None:
        """Take the versions of the champion and the challenger."""
        self.pair = pair
        self._series = series
        self._since = datetime.now(UTC)
        self._lock = threading.Lock()
        self._compared = self._failed = self._dropped = 0
        self._with_interval = self._within_interval = 0
        self._sizes: deque[float] = deque(maxlen=_MOST_SIZES)
        self._largest: list[Difference] = []

    def add(self, difference: Difference) -> None:
        """Count an input that both versions have priced."""
        with self._lock:
            self._compared += 1
            self._with_interval += difference.within_interval is not None
            self._within_interval += difference.within_interval is True
            self._sizes.append(difference.size)
            heapq.heappush(self._largest, difference)
            if len(self._largest) > _MOST_LARGEST:
                heapq.heappop(self._largest)
        self._series.compared.inc()
        self._series.differences.observe(difference.size)
        self._series.within_interval.inc(difference.within_interval is True)

    def add_failed(self, number: int) -> None:
        """Count inputs for which the challenger gave no price."""
        with self._lock:
            self._failed += number
        self._series.failed.inc(number)

    def add_dropped(self, number: int) -> None:
        """Count inputs that the challenger was not asked about after all."""
        with self._lock:
            self._dropped += number
        self._series.dropped.inc(number)

    def summarise(self) -> Summary:
        with self._lock:
            compared, failed, dropped = self._compared, self._failed, self._dropped
            within = self._within_interval / self._with_interval if self._with_interval else None
            sizes = np.array(self._sizes)
            largest = sorted(self._largest, reverse=True)
        mean, median, p90 = None, None, None
        if len(sizes):
            mean, median, p90 = map(float, (sizes.mean(), *np.quantile(sizes, [0.5, 0.9])))
        return Summary(self._since, compared, failed, dropped, within, mean, median, p90, largest)
