"""What the predictor counts and measures, in Prometheus's format."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from predictor.telemetry.comparisons import Comparisons
from predictor.telemetry.prices import Prices
from predictor.telemetry.shared_prices import SharedPrices

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_DURATIONS_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)
# Why an input, or a whole call, got no prediction.
ERROR_KINDS = (
    "invalid_input",
    "model_not_found",
    "model_unavailable",
    "body_refused",
    "overloaded",
    "foreign_page",
    "internal",
)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class SwapCounts(Protocol):
    """How often a hosted model's versions changed, and how often they were refused."""

    name: str
    swaps: int
    refused: int

    @property
    def aliases(self) -> "Mapping[str, SwapCounts]": ...


class Metrics:
    """The metrics of one application. Safe to use from many threads.

    With a folder that several processes share, what they count is added up. Swaps are not: each
    process makes the same ones.
    """

    def __init__(self, models: Sequence[SwapCounts], shared_folder: str | None = None) -> None:
        self._registry = self._read = CollectorRegistry()
        if shared_folder is not None:
            self._read = CollectorRegistry()
            MultiProcessCollector(self._read, shared_folder)  # type: ignore[no-untyped-call]
        self._request_series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._model_series: dict[tuple[str, str], tuple[Counter, Histogram, Histogram]] = {}
        ProcessCollector(registry=self._registry)
        self._read.register(_SwapCollector(models))
        self._requests = Counter(
            "http_requests",
            "Requests answered, by route; those that no route takes are one series.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its answer.",
            ("route", "method"),
            buckets=_DURATIONS_SECONDS,
            registry=self._registry,
        )
        self._predictions = Counter(
            "predictor_predictions",
            "Inputs predicted.",
            ("model", "version"),
            registry=self._registry,
        )
        self._predict_seconds = Histogram(
            "predictor_predict_seconds",
            "Time that the model took for one batch, waiting for its turn included.",
            ("model", "version"),
            buckets=_DURATIONS_SECONDS,
            registry=self._registry,
        )
        self._prices: Prices | SharedPrices
        if shared_folder is None:
            self._prices = Prices()
            self._registry.register(self._prices)
        else:
            self._prices = SharedPrices(self._registry)
        self.comparisons = Comparisons(self._registry)
        self._warnings = Counter(
            "predictor_warnings",
            "Warnings given with a prediction, by the fields that don't go together; without any, "
            "by the input as a whole.",
            ("model", "version", "fields"),
            registry=self._registry,
        )
        self._warning_series: dict[tuple[str, str, str], Counter] = {}
        self._errors = Counter(
            "predictor_errors",
            "Inputs and calls that got an error instead of a prediction, by kind.",
            ("kind",),
            registry=self._registry,
        )
        for kind in ERROR_KINDS:
            self._errors.labels(kind)  # at 0 from the start, so that the first one is a rise
        self._batch_sizes = Histogram(
            "predictor_batch_size",
            "Inputs that the model got at once.",
            ("model", "version"),
            buckets=_SIZES,
            registry=self._registry,
        )

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        key = (route, method if method in _METHODS else "other", status)
        if key not in self._request_series:
            # Finding a series by its labels takes longer than counting.
            series = (self._requests.labels(*key), self._durations.labels(*key[:2]))
            self._request_series[key] = series
        requests, durations = self._request_series[key]
        requests.inc()
        durations.observe(seconds)
        if status == 500:
            self.count_errors("internal")

    def count_predictions(self, model: str, version: str, inputs: int, seconds: float) -> None:
        key = (model, version)
        if key not in self._model_series:
            self._model_series[key] = (
                self._predictions.labels(*key),
                self._predict_seconds.labels(*key),
                self._batch_sizes.labels(*key),
            )
        predictions, durations, sizes = self._model_series[key]
        predictions.inc(inputs)
        durations.observe(seconds)
        sizes.observe(inputs)

    def count_prices(self, model: str, version: str, prices: Sequence[float]) -> None:
        """Count what was predicted in one call of the model."""
        self._prices.add(model, version, prices)

    def count_warning(self, model: str, version: str, fields: Sequence[str]) -> None:
        """Count a warning; a card has only so many."""
        key = (model, version, ",".join(fields))
        if key not in self._warning_series:
            self._warning_series[key] = self._warnings.labels(*key)
        self._warning_series[key].inc()

    def count_errors(self, kind: str, number: int = 1) -> None:
        """Count errors of one of `ERROR_KINDS`."""
        self._errors.labels(kind).inc(number)

    def write(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self._read)


class _SwapCollector(Collector):
    """Reads the counts of the models whenever the metrics are read."""

    def __init__(self, models: Sequence[SwapCounts]) -> None:
        self._models = models

    def collect(self) -> Iterator[CounterMetricFamily]:
        swaps = CounterMetricFamily(
            "predictor_swaps", "Versions that began to serve, the first one too.", labels=["model"]
        )
        refused = CounterMetricFamily(
            "predictor_refused_candidates", "Versions that failed a check.", labels=["model"]
        )
        for model in self._models:
            for each in (model, *model.aliases.values()):
                swaps.add_metric([each.name], each.swaps)
                refused.add_metric([each.name], each.refused)
        yield swaps
        yield refused
