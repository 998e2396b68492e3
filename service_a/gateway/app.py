"""The composition root: makes the gateway's objects and hands them to each other."""

import asyncio
import gc
import logging
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, cast

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp
from urllib3.util import parse_url

from gateway import __version__
from gateway.errors import InputLogUnavailable
from gateway.faults import Faults
from gateway.forwarding.calls import Calls
from gateway.forwarding.circuit_breaker import CircuitBreaker, CircuitState
from gateway.forwarding.client import PredictorClient
from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.exchanges import Exchanges
from gateway.forwarding.frame_columns import FrameColumns, read_columns
from gateway.forwarding.joined_sends import JoinedSendsAdapter
from gateway.forwarding.mlflow_predictor import MlflowPredictor
from gateway.forwarding.model_server import compare_models, ping
from gateway.forwarding.predict_protocol import PredictProtocol
from gateway.forwarding.predictor_faults import PredictorFaults
from gateway.forwarding.predictor_state import read_predictor_state
from gateway.forwarding.promises import PromiseReader, Promises
from gateway.forwarding.retries import Retries, RetryBudget
from gateway.forwarding.side_calls import SideCalls
from gateway.forwarding.tls import make_tls_context
from gateway.forwarding.traced_calls import TracedCalls
from gateway.input_log.actuals import ActualsLog
from gateway.input_log.database import LogDatabase
from gateway.input_log.faulty_log import KINDS, FaultyLog
from gateway.input_log.quality import QualityFilter, QualityReader, VersionQuality
from gateway.input_log.reader import LogReader
from gateway.input_log.replay_queue import ReplayQueue
from gateway.input_log.retention import Retention
from gateway.input_log.sqlite_writer import SqliteLogWriter
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import FORWARD_OUTCOMES
from gateway.intake.forward_queue import make_forward_queue
from gateway.intake.intake import Intake
from gateway.intake.lanes import MAX_LANES, Lane, Lanes
from gateway.intake.log_queue import LogQueue
from gateway.intake.ports import Predictor
from gateway.intake.read_queue import ReadQueue
from gateway.intake.replay import Replay
from gateway.serving.direct_routes import DirectRoutes
from gateway.serving.workers import METRICS_FOLDER
from gateway.settings import Settings, SettingsError
from gateway.telemetry.events import Watchers
from gateway.telemetry.latencies import Latencies
from gateway.telemetry.log_lines import configure_logging
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.spans import read_span
from gateway.telemetry.trace import read_trace
from gateway.telemetry.tracing_variables import find_wrong_variables
from gateway.web.finding import Finding
from gateway.web.json_body import BodyReader
from gateway.web.lab_state import LabState
from gateway.web.middleware.allowed_hosts import AllowedHosts
from gateway.web.middleware.allowed_methods import AllowedMethods
from gateway.web.middleware.api_keys import ApiKeys
from gateway.web.middleware.byte_ranges import ByteRanges
from gateway.web.middleware.head_requests import HeadRequests
from gateway.web.middleware.json_errors import JsonErrors
from gateway.web.middleware.request_events import RequestEvents
from gateway.web.middleware.request_line import POLLED, RequestLine
from gateway.web.middleware.request_spans import RequestSpans
from gateway.web.middleware.root_path import WithoutRootPath, WithRootPath
from gateway.web.openapi import build_openapi
from gateway.web.query_parameters import refuse_unknown_parameters
from gateway.web.routes import (
    actuals,
    inputs,
    instances,
    lab,
    price,
    process,
    quality,
    service_b_faults,
    status,
)
from gateway.web.routes import faults as fault_routes
from gateway.web.routes.failures import add_failure_handlers
from gateway.web.schemas import ErrorAnswer, InvalidInputAnswer
from gateway.web.validation import check

if TYPE_CHECKING:
    from gateway.telemetry.span_export import SpanExport

_logger = logging.getLogger(__name__)

# The head of /docs and /redoc, which links to nothing that needs the internet.
_ABOUT = """Logs every input and, on request, has Service B predict for it.

**Begin with `POST /process`**: open it, press *Try it out*, choose an example, press *Execute*.
[/redoc](redoc) shows every field of a house at once{page}.

In the lab, [Service B](http://localhost:8001/docs) predicts. The documents are in the project's
folder `docs`: begin with `walkthrough.md`."""
_ABOUT_PAGE = ", and [/lab](lab) what happens inside"
_RETRY_SHARE = 0.2
_RETRY_WINDOW_SECONDS = 30
# Requests leave nothing for the collector, and looking all the time would slow large batches.
_COLLECTOR_THRESHOLD = 20_000
# Looking at promises and quality anew takes no more than this share of the time.
_LOOK_SHARE = 0.05
# How long a browser may keep the answer to a preflight.
_PREFLIGHT_SECONDS = 3600
# What is asked again and again, and what doesn't end by itself.
_UNTRACED = POLLED | {"/lab/events"}


class Gateway(FastAPI):
    """The framework with the gateway's own layers around it, and its own OpenAPI document."""

    def build_middleware_stack(self) -> ASGIApp:
        """Put the layers together; calls of the direct routes don't go through the framework's."""
        settings: Settings = self.state.settings
        framework = cast(ServerErrorMiddleware, super().build_middleware_stack())
        # Without the framework's outermost layer: `RequestLine` answers unexpected errors.
        layers: ASGIApp = JsonErrors(ByteRanges(framework.app))
        layers = HeadRequests(AllowedMethods(layers, self.router.routes))
        if settings.root_path:
            layers = WithRootPath(layers)
        if "direct_routes" not in settings.plain:
            hot_routes = [*process.router.routes, *price.router.routes, *instances.router.routes]
            layers = DirectRoutes(layers, hot_routes, self.exception_handlers)
        if settings.api_keys:
            layers = ApiKeys(layers, settings.api_keys)
        if settings.cors_origins:
            cors = CORSMiddleware(
                layers,
                allow_origins=sorted(settings.cors_origins),
                allow_methods=["GET", "POST", *(["PUT", "DELETE"] if settings.faults else [])],
                allow_headers=["Content-Type", "X-API-Key", "X-Request-ID", "traceparent"],
                expose_headers=["X-Request-ID", "Retry-After", "Server-Timing"],
                max_age=_PREFLIGHT_SECONDS,
            )
            layers = JsonErrors(cors)  # it refuses in plain text
        if settings.allowed_hosts:
            layers = AllowedHosts(layers, settings.allowed_hosts)
        export: SpanExport | None = self.state.span_export
        read = read_span if export else read_trace
        layers = RequestLine(layers, self.state.metrics, self.state.lines, read)
        if settings.lab_page:
            layers = RequestEvents(layers, self.state.watchers, self.state.latencies)
        if export:
            layers = RequestSpans(layers, export.tracer)
        if settings.root_path:
            layers = WithoutRootPath(layers, settings.root_path, self.router.routes)
        return layers

    def openapi(self) -> dict[str, Any]:
        return build_openapi(self)


def create_app(settings: Settings) -> FastAPI:
    """Make the application; threads and connections are opened when it starts.

    Raises:
        SettingsError: a file that a setting names can't be used, or a package is missing.
    """
    lines = configure_logging(settings.log_level, settings.log_format)
    shared_folder = os.environ.get(METRICS_FOLDER) if settings.workers > 1 else None
    metrics = Metrics(FORWARD_OUTCOMES, CircuitState, shared_folder)
    watchers, latencies = Watchers(), Latencies()
    faults = Faults(KINDS)
    export = _make_span_export(settings)
    by_mlflow = settings.service_b_protocol == "mlflow"
    columns = read_columns(settings.mlflow_columns) if by_mlflow else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gc.set_threshold(_COLLECTOR_THRESHOLD)
        database = LogDatabase(settings.input_log_url)
        log = _make_writer(database, settings)
        retention = Retention(
            database, max_days=settings.retention_days, max_inputs=settings.retention_inputs
        )
        exchanges = _make_exchanges(settings)
        side_calls = _make_side_calls(settings)
        app.state.predictor_faults = PredictorFaults(side_calls)
        calls = TracedCalls(watchers, export.tracer) if export else Calls(watchers)
        lanes = Lanes(partial(_make_lane, exchanges, calls, metrics, settings, columns))
        log_queue = LogQueue(FaultyLog(log, faults) if settings.faults else log, metrics)
        intake = Intake(log_queue, lanes, metrics)
        app.state.lanes = lanes
        app.state.intake = intake
        app.state.log_queue = log_queue
        app.state.log_reader = reader = LogReader(database)
        app.state.read_queue = read_queue = ReadQueue()
        app.state.replay = Replay(ReplayQueue(database), intake)
        app.state.actuals_log = ActualsLog(database)
        app.state.quality_reader = quality_reader = QualityReader(database)
        app.state.promises = promises = _make_promises(side_calls, columns)
        look_at_quality = partial(_read_quality, read_queue, quality_reader, promises)
        app.state.quality = Finding(look_at_quality, [], _LOOK_SHARE)
        lab_state = LabState(
            watchers,
            latencies,
            lanes,
            log_queue,
            count_log=partial(read_queue.read_part, reader.count_outcomes),
            ask_predictor=partial(
                asyncio.to_thread, read_predictor_state, side_calls, settings.faults
            ),
            list_faults=faults.describe,
        )
        if settings.faults:
            fields = {"because_of": "LAB_FAULTS"}
            _logger.warning("faults can be switched on", extra={"fields": fields})
        if export:
            export.start()
        await _open_log(log_queue)
        if columns is not None:
            compare_models(settings.instances_model, columns.name)
            await asyncio.to_thread(ping, exchanges, settings.connect_timeout_seconds)
        tasks = [asyncio.create_task(retention.run())]
        if settings.lab_page:
            tasks.append(asyncio.create_task(lab_state.run()))
        yield
        for task in tasks:
            task.cancel()
        await intake.close()
        database.stop()  # reads under way would delay the end
        await read_queue.close()
        for part in (exchanges, side_calls, log, database):
            part.close()
        if export:
            await asyncio.to_thread(export.stop)

    app = Gateway(
        title="Service A - Input Logger",
        description=_ABOUT.format(page=_ABOUT_PAGE if settings.lab_page else ""),
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would lead to a host that the caller names
        dependencies=[Depends(refuse_unknown_parameters)],
        responses={
            422: {"model": InvalidInputAnswer, "description": "A parameter is wrong"},
            500: {"model": ErrorAnswer, "description": "The service itself failed"},
        },
        telemetry=_describe_telemetry(settings, export),
    )
    app.state.settings = settings
    app.state.body_reader = BodyReader(settings.max_body_bytes)
    app.state.batch_reader = BodyReader(settings.max_batch_body_bytes)
    app.state.listed_pages = settings.cors_origins or frozenset()
    app.state.metrics = metrics
    app.state.watchers = watchers
    app.state.latencies = latencies
    app.state.faults = faults
    app.state.draining = Event()
    app.state.at_stop = [watchers.close, faults.end_all]
    app.state.lines = lines
    app.state.span_export = export
    for group in (status, process, price, instances, inputs, actuals, quality):
        app.include_router(group.router)
    if settings.lab_page:
        app.include_router(lab.router)
    if settings.faults:
        # Service B's come first: the other routes would match their paths too.
        app.include_router(service_b_faults.router)
        app.include_router(fault_routes.router)
    # Pages that need no internet access. Unfolded, the schemas would be longer than the calls.
    pages = FastAPIOffline(title=app.title, swagger_ui_parameters={"defaultModelsExpandDepth": 0})
    app.router.routes.extend(pages.routes)
    add_failure_handlers(app)
    return app


def _make_span_export(settings: Settings) -> "SpanExport | None":
    if settings.otlp_endpoint is None:
        return None
    headers = {"OTEL_EXPORTER_OTLP_HEADERS": settings.otlp_headers or ""}
    problems = find_wrong_variables({**os.environ, **headers})
    if problems:
        raise SettingsError("\n".join(problems))
    try:
        from gateway.telemetry.span_export import SpanExport
    except ImportError as error:
        reason = "its packages are not installed: pip install -r requirements-tracing.txt"
        raise SettingsError(f"OTEL_EXPORTER_OTLP_ENDPOINT: {reason}") from error
    return SpanExport("service_a", __version__, settings.otlp_headers)


def _describe_telemetry(settings: Settings, export: "SpanExport | None") -> TelemetryConfig:
    """Say what the framework makes of each request: a span, if spans are exported."""
    prefix = settings.root_path or ""
    return {
        "tracing": export is not None,
        "tracer_provider": export.provider if export else None,
        "exclude": lambda scope: scope["path"].removeprefix(prefix) in _UNTRACED,
        "operation_spans": False,  # of the framework's own work
        "metrics": False,
        "logs": False,
        "auto_configure": False,
    }


def _make_writer(database: LogDatabase, settings: Settings) -> LogWriter:
    if database.is_sqlite and "sqlite_writer" not in settings.plain:
        return SqliteLogWriter(database)
    return LogWriter(database)


def _make_exchanges(settings: Settings) -> Exchanges:
    adapter_class = DeadlineAdapter if "joined_sends" in settings.plain else JoinedSendsAdapter
    return Exchanges(
        settings.predictor_url,
        adapter_class(
            _make_tls(settings),
            max_connections=MAX_LANES * settings.forward_calls,
            lifetime_seconds=settings.connection_lifetime_seconds,
        ),
        connect_timeout_seconds=settings.connect_timeout_seconds,
        api_key=settings.predictor_api_key,
    )


def _make_side_calls(settings: Settings) -> SideCalls:
    lifetime_seconds = settings.connection_lifetime_seconds
    adapter = DeadlineAdapter(_make_tls(settings), lifetime_seconds=lifetime_seconds)
    return SideCalls(settings.predictor_url, adapter, settings.predictor_api_key)


def _make_promises(side_calls: SideCalls, columns: FrameColumns | None) -> Finding[Promises]:
    reader = PromiseReader(side_calls, columns.name if columns else None)
    look = partial(asyncio.to_thread, reader.read)
    return Finding(look, Promises(), _LOOK_SHARE)


async def _read_quality(
    read_queue: ReadQueue, reader: QualityReader, promises: Finding[Promises]
) -> list[VersionQuality]:
    """Read the figures for the metrics, with the names of models that `GET /quality` shows."""
    default_model = (await promises.look_for(quality.PROMISE_SECONDS)).default_model
    return await read_queue.read_part(partial(reader.read, QualityFilter(), default_model))


def _make_tls(settings: Settings) -> ssl.SSLContext | None:
    by_tls = parse_url(settings.predictor_url).scheme == "https"
    return make_tls_context(settings.service_b_ca_file) if by_tls else None


def _make_lane(
    exchanges: Exchanges,
    calls: Calls,
    metrics: Metrics,
    settings: Settings,
    columns: FrameColumns | None,
    model: str | None,
) -> Lane:
    breaker = CircuitBreaker(
        failures_to_open=settings.breaker_failures,
        window_seconds=settings.breaker_window_seconds,
        on_change=partial(_report_circuit, metrics, model),
    )
    if model is None:
        metrics.set_circuit(breaker.state)
    budget = RetryBudget(share=_RETRY_SHARE, window_seconds=_RETRY_WINDOW_SECONDS)
    make_client = partial(PredictorClient, exchanges, breaker, Retries(breaker, budget), calls)
    predictor: Predictor = (
        make_client(PredictProtocol())
        if columns is None
        else MlflowPredictor(columns, check, make_client)
    )
    queue = make_forward_queue(
        predictor,
        metrics,
        timeout_seconds=settings.forward_timeout_seconds,
        max_batch=settings.forward_max_batch,
        max_waiting=settings.forward_max_waiting,
        calls_at_once=settings.forward_calls,
    )
    return Lane(queue, breaker)


async def _open_log(log_queue: LogQueue) -> None:
    """Make or upgrade the tables before the first request. A log that fails may work later."""
    try:
        await log_queue.check()
    except InputLogUnavailable as error:
        _logger.warning("the input log is unavailable", extra={"fields": {"reason": str(error)}})


def _report_circuit(metrics: Metrics, model: str | None, state: CircuitState) -> None:
    if model is None:
        metrics.set_circuit(state)
    fields = {"state": state} if model is None else {"model": model, "state": state}
    _logger.warning("circuit to Service B", extra={"fields": fields})
