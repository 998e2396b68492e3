"""What is counted of versions that are compared with those that serve."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram

_LABELS = ("model", "version", "challenger")
_SHARES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class ComparisonSeries(NamedTuple):
    """The series of one pair of versions. Finding them by labels takes longer than counting."""

    compared: Counter
    failed: Counter
    dropped: Counter
    within_interval: Counter
    differences: Histogram


class Comparisons:
    """The metrics of all pairs. Safe to use from many threads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._inputs = Counter(
            "predictor_challenger_inputs",
            "Inputs taken for a challenger: compared, failed or dropped.",
            (*_LABELS, "outcome"),
            registry=registry,
        )
        self._within_interval = Counter(
            "predictor_challenger_within_interval",
            "Prices of a challenger that lie within the interval that was answered.",
            _LABELS,
            registry=registry,
        )
        self._differences = Histogram(
            "predictor_challenger_difference",
            "Size of the difference of a challenger's price, as a share of the price answered.",
            _LABELS,
            buckets=_SHARES,
            registry=registry,
        )

    def find_series(self, model: str, version: str, challenger: str) -> ComparisonSeries:
        labels = (model, version, challenger)
        return ComparisonSeries(
            self._inputs.labels(*labels, "compared"),
            self._inputs.labels(*labels, "failed"),
            self._inputs.labels(*labels, "dropped"),
            self._within_interval.labels(*labels),
            self._differences.labels(*labels),
        )
