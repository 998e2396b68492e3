"""How good the predictions were, as gauges for Prometheus."""

from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_HELP = {
    "predicted": "Inputs in the log that were predicted.",
    "with_actual": "Of them, those whose actual price was reported.",
    "mape": "Mean error without its sign, as a fraction of the actual price.",
    "median_ape": "Median error without its sign, as a fraction of the actual price.",
    "bias": "Mean error, above 0 if the predictions are too high, as a fraction.",
    "within_10_percent": "Share of the predictions within 10% of the actual price.",
    "coverage": "Share of the actual prices that lay in their interval.",
    "coverage_lower": "The least that the coverage may be, with 95% certainty.",
    "coverage_upper": "The most that the coverage may be, with 95% certainty.",
}

# The gauges of the three parts of a coverage.
_COVERAGE = ("coverage", "coverage_lower", "coverage_upper")


class QualityGauges(Collector):
    """Shows the figures of each version as they were set last.

    They are those of the log: all gateways that share one have the same, so they are never summed.
    """

    def __init__(self) -> None:
        self.versions: Sequence[Any] = ()

    def collect(self) -> Iterable[Metric]:
        for name, text in _HELP.items():
            family = GaugeMetricFamily(f"gateway_quality_{name}", text, labels=["model", "version"])
            for each in self.versions:
                value = _find(each, name)
                if value is not None:
                    family.add_metric([each.model or "", each.model_version or ""], value)
            yield family


def _find(version: Any, name: str) -> float | None:
    figure = getattr(version, _COVERAGE[0] if name in _COVERAGE else name)
    if name in _COVERAGE and figure is not None:
        figure = figure[_COVERAGE.index(name)]
    value: float | None = figure
    return value
