"""What answers here, and whether it can predict."""

from collections.abc import Sequence
from contextlib import suppress

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from predictor.errors import ModelUnavailable
from predictor.telemetry.metrics import Metrics
from predictor.versions.deployment import Deployment
from predictor.versions.registry import ModelRegistry
from predictor.web.routes.failures import RETRY_AFTER
from predictor.web.schemas import HealthAnswer, LivenessAnswer, RootAnswer, UnhealthyAnswer

router = APIRouter(tags=["status"])


@router.get("/", summary="Say who answers")
async def read_root() -> RootAnswer:
    return RootAnswer()


@router.get(
    "/health",
    summary="Say whether the default model can predict",
    response_model=HealthAnswer,
    responses={
        503: {
            "model": UnhealthyAnswer | HealthAnswer,
            "description": "No model is loaded, or the service is about to stop",
        }
    },
)
async def read_health(request: Request) -> HealthAnswer | Response:
    registry: ModelRegistry = request.app.state.registry
    model = None
    with suppress(ModelUnavailable):
        model = registry.default
    version = model.version if model else None
    name = registry.default_name
    answer: HealthAnswer
    if request.app.state.draining.is_set():
        answer = HealthAnswer(status="draining", model=name, model_version=version)
    elif model:
        return HealthAnswer(status="healthy", model=name, model_version=version)
    else:
        deployments: Sequence[Deployment] = request.app.state.deployments
        deployment = next(each for each in deployments if each.name == name)
        answer = UnhealthyAnswer(
            model=name, reason=deployment.public_error, may_come=deployment.may_come
        )
    return JSONResponse(answer.model_dump(), 503, RETRY_AFTER)


@router.get("/livez", summary="Say that the process runs")
async def read_liveness() -> LivenessAnswer:
    return LivenessAnswer()


@router.get(
    "/metrics",
    summary="Read the metrics",
    response_class=Response,  # one with a media type would give it to errors too
    responses={
        200: {
            "description": "in Prometheus's text format",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
async def read_metrics(request: Request) -> Response:
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.write(), media_type=CONTENT_TYPE_LATEST)
