"""The prices that each version predicts: how many, their sum, the least, the most, a histogram."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

# The bounds are closest together where most houses are.
EDGES = (
    10_000, 20_000, 50_000, 75_000, 100_000, 125_000, 150_000, 175_000, 200_000, 250_000,
    300_000, 400_000, 500_000, 750_000, 1_000_000, 2_000_000, 5_000_000,
)  # fmt: skip
LABELS = ["model", "version"]
# At most this many prices wait to be counted: a thousand take some 0.1 ms.
_MOST_WAITING = 4096


class Prices(Collector):
    """Takes the prices of each call at once, and counts them when the metrics are read.

    Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._totals: dict[tuple[str, str], _Total] = defaultdict(_Total)

    def add(self, model: str, version: str, prices: Sequence[float]) -> None:
        with self._lock:
            total = self._totals[model, version]
            total.waiting += prices
            if len(total.waiting) >= _MOST_WAITING:
                total.count()

    def collect(self) -> Iterator[Metric]:
        histogram = HistogramMetricFamily(
            "predictor_price", "Predicted prices, in the currency of the model.", labels=LABELS
        )
        least = GaugeMetricFamily(
            "predictor_price_smallest", "Smallest price since the start.", labels=LABELS
        )
        most = GaugeMetricFamily(
            "predictor_price_largest", "Largest price since the start.", labels=LABELS
        )
        with self._lock:
            for key, total in self._totals.items():
                total.count()
                counts = np.cumsum(total.buckets).tolist()
                edges = [*map(floatToGoString, EDGES), "+Inf"]
                histogram.add_metric(key, [*zip(edges, counts, strict=True)], total.sum)
                least.add_metric(key, total.smallest)
                most.add_metric(key, total.largest)
        yield from (histogram, least, most)


class _Total:
    def __init__(self) -> None:
        self.waiting: list[float] = []
        self.buckets = np.zeros(len(EDGES) + 1, dtype=np.int64)
        self.sum = 0.0
        self.smallest, self.largest = math.inf, -math.inf

    def count(self) -> None:
        if self.waiting:
            prices = np.array(self.waiting)
            self.waiting.clear()
            places = np.searchsorted(EDGES, prices)
            self.buckets += np.bincount(places, minlength=len(self.buckets))
            self.sum += float(prices.sum())
            self.smallest = min(self.smallest, float(prices.min()))
            self.largest = max(self.largest, float(prices.max()))
