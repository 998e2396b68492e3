"""What the gateway counts and measures, for Prometheus."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.telemetry.quality_gauges import QualityGauges

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_DURATIONS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
# Service B says what they are called.
_MAX_WARNING_SERIES = 200
_MAX_LABEL_CHARS = 200
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The metrics of one application. Safe to use from many threads.

    The outcomes of forwards and the states of the circuit are there from the start, as zeros.
    With a folder that several processes share, what they count is added up.
    """

    def __init__(
        self,
        outcomes: Iterable[str] = (),
        circuit_states: Iterable[str] = (),
        shared_folder: str | None = None,
    ) -> None:
        self._registry = self._read = CollectorRegistry()
        self._is_shared = shared_folder is not None
        if self._is_shared:
            self._read = CollectorRegistry()
            MultiProcessCollector(self._read, shared_folder)  # type: ignore[no-untyped-call]
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        ProcessCollector(registry=self._registry)
        self.quality = QualityGauges()
        self._read.register(self.quality)
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
        forwards = Counter(
            "gateway_forwards",
            "Inputs forwarded to Service B, by what became of them.",
            ("outcome",),
            registry=self._registry,
        )
        batch_sizes = Histogram(
            "gateway_batch_size",
            "Inputs in one call to Service B, and entries in one commit to the log.",
            ("batch",),
            buckets=_SIZES,
            registry=self._registry,
        )
        circuit = Gauge(
            "gateway_circuit_breaker_state",
            "1 for the state that the circuit to Service B is in.",
            ("state",),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        # Names that callers give: the series are those of the models that have a lane at the time.
        self._model_circuits = Gauge(
            "gateway_model_circuit_breaker_state",
            "1 for the state that the circuit to a model named by callers is in.",
            ("model", "state"),
            registry=self._registry,
        )
        self._inputs = Counter(
            "gateway_inputs_logged",
            "Inputs committed to the log.",
            registry=self._registry,
        )
        self._commits = Histogram(
            "gateway_log_commit_seconds",
            "Time of one commit to the log.",
            buckets=_DURATIONS_SECONDS,
            registry=self._registry,
        )
        self._warnings = Counter(
            "gateway_warnings",
            "Warnings that Service B gave with a prediction, by the fields that don't go together.",
            ("model", "version", "fields"),
            registry=self._registry,
        )
        self._warning_series: dict[tuple[str, str, str], Counter] = {}
        # Finding a series by its labels takes longer than counting.
        self._call_sizes = batch_sizes.labels("forward")
        self._commit_sizes = batch_sizes.labels("log")
        self._outcomes = {outcome: forwards.labels(outcome) for outcome in outcomes}
        self._circuit_states = {state: circuit.labels(state) for state in circuit_states}

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        key = (route, method if method in _METHODS else "other", status)
        if key not in self._series:
            self._series[key] = (self._requests.labels(*key), self._durations.labels(*key[:2]))
        counter, histogram = self._series[key]
        counter.inc()
        histogram.observe(seconds)

    def count_forwards(self, outcome: str, inputs: int) -> None:
        self._outcomes[outcome].inc(inputs)

    def count_warnings(self, model: str | None, version: str | None, fields: Sequence[str]) -> None:
        """Count the warnings for one input; from some number of series on, all in one more."""
        for each in fields:
            key = (model or "", version or "", each)
            if key not in self._warning_series:
                if len(self._warning_series) >= _MAX_WARNING_SERIES or len(each) > _MAX_LABEL_CHARS:
                    key = ("other", "other", "other")
                self._warning_series[key] = self._warnings.labels(*key)
            self._warning_series[key].inc()

    def count_call(self, inputs: int) -> None:
        self._call_sizes.observe(inputs)

    def count_commit(self, entries: int, inputs: int, seconds: float) -> None:
        self._commit_sizes.observe(entries)
        self._inputs.inc(inputs)
        self._commits.observe(seconds)

    def set_circuit(self, state: str) -> None:
        for each, gauge in self._circuit_states.items():
            gauge.set(each == state)

    def set_model_circuits(self, states: Mapping[str, str]) -> None:
        """Put the states of named models' circuits in the place of those before.

        In a shared folder nothing could take them away again.
        """
        if self._is_shared:
            return
        self._model_circuits.clear()
        for model, current in states.items():
            for state in self._circuit_states:
                self._model_circuits.labels(model, state).set(state == current)

    def write(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self._read)
