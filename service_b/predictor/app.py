"""The composition root: makes the predictor's objects and hands them to each other."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp

from predictor.errors import ManifestError
from predictor.inference.runner import Runner
from predictor.serving.direct_routes import Shortcut
from predictor.settings import Settings
from predictor.telemetry.log_lines import configure_logging
from predictor.telemetry.metrics import Metrics
from predictor.versions.deployment import Deployment
from predictor.versions.loading import build_loader
from predictor.versions.manifest import Manifest, read_manifest
from predictor.versions.registry import ModelRegistry
from predictor.versions.sources import build_sources
from predictor.versions.watcher import Watcher
from predictor.web.middleware.api_key import Access
from predictor.web.middleware.request_line import RequestLog
from predictor.web.openapi import Contract
from predictor.web.routes import invocations, models, predict, status
from predictor.web.routes.failures import add_failure_handlers
from predictor.web.shared_timeout import SharedTimeout

# A source that hangs keeps the service from listening no longer than this.
FIRST_CHECK_SECONDS = 15
# Loading a version is Python from end to end. Each time that predicting or the event loop want the
# interpreter back from it, they wait this long. With one swap after another (medians of five runs
# on a busy machine of 2 cores): 51 requests/s and p99 460 ms, with Python's own 5 ms 29 and 1,249.
SWITCH_SECONDS = 0.0005


def create_app(settings: Settings) -> FastAPI:
    """Make the application; the models are loaded when it starts.

    Raises:
        ManifestError: models.yaml can't be used.
    """
    lines = configure_logging(settings.log_level, settings.log_format)
    manifest = read_manifest(settings.models)
    registry = ModelRegistry([entry.name for entry in manifest.models], manifest.default_name)
    deployments = _build_deployments(settings, manifest, registry)
    metrics = Metrics(deployments)
    watcher = Watcher(deployments, settings.watch_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sys.setswitchinterval(SWITCH_SECONDS)
        watcher.start()
        await watcher.check_now(FIRST_CHECK_SECONDS)
        yield
        watcher.stop()

    app = FastAPIOffline(
        title=manifest.title,
        description="Predicts with the models it hosts.",
        version="1.0.0",
        lifespan=lifespan,
        # Nobody exports it from here, and it would be looked for with each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        # All fields of all models unfolded would be a page of many hundred lines.
        swagger_ui_parameters={"defaultModelsExpandDepth": 0, "defaultModelExpandDepth": 2},
    )
    app.state.settings = settings
    app.state.body_timeout = SharedTimeout(settings.body_timeout_seconds)
    app.state.metrics = metrics
    app.state.registry = registry
    app.state.deployments = deployments
    app.state.watcher = watcher
    app.state.endpoints = {entry.name for entry in manifest.models if entry.create_endpoint}
    app.state.runner = Runner(metrics)
    app.openapi = Contract(app, registry, app.state.endpoints).build  # type: ignore[method-assign]
    build_framework = app.build_middleware_stack
    app.build_middleware_stack = lambda: RequestLog(  # type: ignore[method-assign]
        _surround(app, build_framework()), metrics, lines
    )
    for router in (status.router, predict.router, models.router, invocations.router):
        app.include_router(router)
    add_failure_handlers(app)
    return app


def _surround(app: FastAPI, framework: ASGIApp) -> ASGIApp:
    """Put the predictor's own layers around the framework's, which hot calls don't go through."""
    settings: Settings = app.state.settings
    layers: ASGIApp = Shortcut(framework, predict.router.routes, app.exception_handlers)
    return layers if settings.api_key is None else Access(layers, settings.api_key)


def _build_deployments(
    settings: Settings, manifest: Manifest, registry: ModelRegistry
) -> list[Deployment]:
    folder = settings.models.resolve().parent
    deployments = []
    for index, entry in enumerate(manifest.models):
        try:
            sources = build_sources(entry, folder, settings.allowed_sources)
            load = build_loader(entry, fast_path="fast_path" not in settings.plain)
        except ManifestError as error:
            raise manifest.locate(error, "models", index) from error
        deployments.append(Deployment(entry.name, sources, load, registry))
    return deployments
