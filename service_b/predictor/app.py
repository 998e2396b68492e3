"""The composition root: makes the predictor's objects and hands them to each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from predictor.contract import build_contract
from predictor.logs import configure_logging
from predictor.registry import ModelRegistry
from predictor.repository import ModelRepository
from predictor.request_log import RequestLog
from predictor.routes import predict, status
from predictor.routes.failures import add_failure_handlers
from predictor.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Make the application; the model is loaded when it starts."""
    configure_logging(settings.log_level)
    registry = ModelRegistry(ModelRepository(settings.models_folder), settings.default_model)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # The model keeps a core busy by itself: more threads would only wait for each other.
        app.state.predict_limiter = CapacityLimiter(1)
        registry.load()
        yield

    app = FastAPIOffline(
        title="Service B - ML Prediction",
        description="Predicts with the models it hosts.",
        version="1.0.0",
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.registry = registry
    app.openapi = lambda: build_contract(app, registry)  # type: ignore[method-assign]
    app.add_middleware(RequestLog)
    app.include_router(status.router)
    app.include_router(predict.router)
    add_failure_handlers(app)
    return app
