"""The same figures as in `prices`, for several processes that add theirs up.

Prometheus's own classes do it, and take longer: each price is counted by itself, at once.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge, Histogram

from predictor.telemetry.prices import EDGES, LABELS


class SharedPrices:
    """Counts the prices of each call. Safe to use from many threads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._histogram = Histogram(
            "predictor_price",
            "Predicted prices, in the currency of the model.",
            LABELS,
            buckets=EDGES,
            registry=registry,
        )
        self._least = Gauge(
            "predictor_price_smallest",
            "Smallest price since the start.",
            LABELS,
            registry=registry,
            multiprocess_mode="min",
        )
        self._most = Gauge(
            "predictor_price_largest",
            "Largest price since the start.",
            LABELS,
            registry=registry,
            multiprocess_mode="max",
        )
        self._bounds: dict[tuple[str, str], tuple[float, float]] = defaultdict(
            lambda: (math.inf, -math.inf)
        )

    def add(self, model: str, version: str, prices: Sequence[float]) -> None:
        key = (model, version)
        histogram = self._histogram.labels(*key)
        for price in prices:
            histogram.observe(price)
        least, most = self._bounds[key]
        bounds = min(least, *prices), max(most, *prices)
        if bounds != (least, most):
            self._bounds[key] = bounds
            self._least.labels(*key).set(bounds[0])
            self._most.labels(*key).set(bounds[1])
