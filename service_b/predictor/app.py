"""The composition root: makes the predictor's objects and hands them to each other."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from typing import TYPE_CHECKING, Any, cast

from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from predictor import __version__
from predictor.errors import ManifestError
from predictor.faults import Faults
from predictor.inference.runner import Runner
from predictor.serving.direct_routes import DirectRoutes
from predictor.serving.workers import METRICS_FOLDER
from predictor.settings import Settings, SettingsError
from predictor.shadow.calls_under_way import CallsUnderWay
from predictor.shadow.shadow import Shadow
from predictor.telemetry.log_lines import configure_logging
from predictor.telemetry.metrics import Metrics
from predictor.telemetry.spans import read_span
from predictor.telemetry.trace import read_trace
from predictor.telemetry.tracing_variables import find_wrong_variables
from predictor.versions.deployment import Deployment
from predictor.versions.loading import build_loader
from predictor.versions.manifest import Manifest, read_manifest
from predictor.versions.registry import ModelRegistry
from predictor.versions.sources import build_sources
from predictor.versions.watcher import Watcher
from predictor.web.json_body import BodyReader
from predictor.web.middleware.allowed_hosts import AllowedHosts
from predictor.web.middleware.allowed_methods import AllowedMethods
from predictor.web.middleware.api_key import ApiKey
from predictor.web.middleware.byte_ranges import ByteRanges
from predictor.web.middleware.fault_layer import KINDS, FaultLayer
from predictor.web.middleware.head_requests import HeadRequests
from predictor.web.middleware.json_errors import JsonErrors
from predictor.web.middleware.request_line import POLLED, RequestLine
from predictor.web.middleware.request_spans import RequestSpans
from predictor.web.middleware.root_path import WithoutRootPath, WithRootPath
from predictor.web.middleware.waiting_callers import WaitingCallers
from predictor.web.openapi import OpenApiDocument
from predictor.web.query_parameters import refuse_unknown_parameters
from predictor.web.routes import faults as fault_routes
from predictor.web.routes import invocations, models, predict, status
from predictor.web.routes.failures import add_failure_handlers
from predictor.web.schemas import ErrorAnswer, InvalidInputAnswer

if TYPE_CHECKING:
    from predictor.telemetry.span_export import SpanExport

# The head of /docs and /redoc, which links to nothing that needs the internet.
_DESCRIPTION = """Predicts with the models it hosts.

**Begin with `POST /predict`**: open it, press *Try it out*, choose an example, press *Execute*.
[/redoc](redoc) shows every field of an input at once.

In the lab, [Service A](http://localhost:8000/docs) calls this service and keeps a log of every
input; [its page /lab](http://localhost:8000/lab) shows both at work. The documents are in the
project's folder `docs`: begin with `walkthrough.md`."""

_logger = logging.getLogger(__name__)

# A source that hangs delays the start of the service by no more than this.
FIRST_CHECK_SECONDS = 15
# Loading a version runs Python code from end to end. Whenever a prediction or the event loop needs
# the interpreter meanwhile, it waits this long.
_SWITCH_SECONDS = 0.0005


class Predictor(FastAPI):
    """The framework with the predictor's own layers around it, and its own OpenAPI document."""

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
            layers = DirectRoutes(layers, predict.router.routes, self.exception_handlers)
        if self.state.shadows:
            layers = WaitingCallers(layers, self.state.calls)
        if settings.api_key is not None:
            layers = ApiKey(layers, settings.api_key)
        if settings.allowed_hosts:
            layers = AllowedHosts(layers, settings.allowed_hosts)
        if settings.faults:
            registry: ModelRegistry = self.state.registry
            layers = FaultLayer(layers, self.state.faults, registry.default_name)
        export: SpanExport | None = self.state.span_export
        read = read_span if export else read_trace
        layers = RequestLine(layers, self.state.metrics, self.state.lines, read)
        if export:
            layers = RequestSpans(layers, export.tracer)
        if settings.root_path:
            layers = WithoutRootPath(layers, settings.root_path, self.router.routes)
        return layers

    def openapi(self) -> dict[str, Any]:
        document: OpenApiDocument = self.state.openapi_document
        return document.build()


def create_app(settings: Settings) -> FastAPI:
    """Make the application; the models are loaded when it starts.

    Raises:
        ManifestError: models.yaml can't be used.
        SettingsError: spans are to be exported, and the packages for it are missing.
    """
    lines = configure_logging(settings.log_level, settings.log_format)
    export = _make_span_export(settings)
    manifest = read_manifest(settings.models)
    registry = ModelRegistry([entry.name for entry in manifest.models], manifest.default_name)
    deployments = _build_deployments(settings, manifest, registry)
    shared_folder = os.environ.get(METRICS_FOLDER) if settings.workers > 1 else None
    metrics = Metrics(deployments, shared_folder)
    watcher = Watcher(deployments, settings.watch_seconds)
    calls = CallsUnderWay()
    shadows = {
        entry.name: Shadow(entry.name, entry.challenger, registry, calls, metrics.comparisons)
        for entry in manifest.models
        if entry.challenger
    }

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sys.setswitchinterval(_SWITCH_SECONDS)
        if settings.faults:
            fields = {"because_of": "LAB_FAULTS"}
            _logger.warning("faults can be switched on", extra={"fields": fields})
        for entry in manifest.models:
            if not entry.create_endpoint:
                _logger.info("model has no endpoint", extra={"fields": {"model": entry.name}})
        if export:
            export.start()
        watcher.start()
        await watcher.check_now(FIRST_CHECK_SECONDS)
        for shadow in shadows.values():
            shadow.start()
        yield
        for shadow in shadows.values():
            shadow.stop()
        watcher.stop()
        if export:
            await asyncio.to_thread(export.stop)

    app = Predictor(
        title=manifest.title,
        description=_DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would lead to a host that the caller names
        dependencies=[Depends(refuse_unknown_parameters)],
        responses={
            422: {"model": InvalidInputAnswer, "description": "A parameter is wrong"},
            500: {"model": ErrorAnswer, "description": "The model failed, or the service itself"},
        },
        telemetry=_describe_telemetry(settings, export),
    )
    app.state.settings = settings
    app.state.body_reader = BodyReader(settings.max_body_bytes)
    app.state.quick_check = "quick_check" not in settings.plain
    app.state.listed_pages = frozenset()
    app.state.metrics = metrics
    app.state.faults = faults = Faults(KINDS)
    app.state.draining = Event()
    app.state.at_stop = [faults.end_all]
    app.state.lines = lines
    app.state.span_export = export
    app.state.registry = registry
    app.state.deployments = deployments
    app.state.watcher = watcher
    app.state.calls = calls
    app.state.shadows = shadows
    app.state.endpoints = {entry.name for entry in manifest.models if entry.create_endpoint}
    app.state.runner = Runner(metrics)
    app.state.openapi_document = OpenApiDocument(app, registry, app.state.endpoints)
    for router in (status.router, predict.router, models.router, invocations.router):
        app.include_router(router)
    if settings.faults:
        app.include_router(fault_routes.router)
    # Pages that need no internet access. Unfolded, the fields of all models would be many hundred
    # lines.
    folded = {"defaultModelsExpandDepth": 0, "defaultModelExpandDepth": 2}
    app.router.routes.extend(FastAPIOffline(title=app.title, swagger_ui_parameters=folded).routes)
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
        from predictor.telemetry.span_export import SpanExport
    except ImportError as error:
        reason = "its packages are not installed: pip install -r requirements-tracing.txt"
        raise SettingsError(f"OTEL_EXPORTER_OTLP_ENDPOINT: {reason}") from error
    return SpanExport("service_b", __version__, settings.otlp_headers)


def _describe_telemetry(settings: Settings, export: "SpanExport | None") -> TelemetryConfig:
    """Say what the framework makes of each request: a span, if spans are exported."""
    prefix = settings.root_path or ""
    return {
        "tracing": export is not None,
        "tracer_provider": export.provider if export else None,
        "exclude": lambda scope: scope["path"].removeprefix(prefix) in POLLED,
        "operation_spans": False,  # of the framework's own work
        "metrics": False,
        "logs": False,
        "auto_configure": False,
    }


def _build_deployments(
    settings: Settings, manifest: Manifest, registry: ModelRegistry
) -> list[Deployment]:
    folder = settings.models.resolve().parent
    deployments = []
    for index, entry in enumerate(manifest.models):
        try:
            sources = build_sources(
                entry, folder, settings.allowed_sources, settings.max_version_bytes
            )
            load = build_loader(entry, fast_path="fast_path" not in settings.plain)
        except ManifestError as error:
            raise manifest.locate(error, "models", index) from error
        deployments.append(Deployment(entry.name, sources, load, registry))
    return deployments
