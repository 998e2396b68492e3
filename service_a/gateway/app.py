"""The composition root: makes the gateway's objects and hands them to each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from gateway.input_log import InputLog
from gateway.intake import Intake
from gateway.logs import configure_logging
from gateway.predictor_client import PredictorClient
from gateway.request_log import RequestLog
from gateway.routes import process, status
from gateway.routes.failures import add_failure_handlers
from gateway.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Make the application; threads and connections are opened when it starts."""
    configure_logging(settings.log_level)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        log = InputLog(settings.input_log_url)
        client = PredictorClient(
            settings.predictor_url, connect_timeout_seconds=settings.connect_timeout_seconds
        )
        app.state.intake = intake = Intake(
            log,
            client,
            forward_timeout_seconds=settings.forward_timeout_seconds,
            forward_max_batch=settings.forward_max_batch,
            forward_max_waiting=settings.forward_max_waiting,
        )
        yield
        await intake.close()
        client.close()
        log.close()

    app = FastAPIOffline(
        title="Service A - Input Logger",
        description="Logs every input and, on request, has Service B predict for it.",
        version="1.0.0",
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.add_middleware(RequestLog)
    app.include_router(status.router)
    app.include_router(process.router)
    add_failure_handlers(app)
    return app
