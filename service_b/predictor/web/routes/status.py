"""What answers here, and whether it can predict."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from predictor.errors import ModelUnavailable
from predictor.telemetry.metrics import Metrics
from predictor.versions.registry import ModelRegistry
from predictor.web.routes.failures import RETRY_AFTER_SECONDS
from predictor.web.schemas import HealthAnswer, LivenessAnswer, RootAnswer

router = APIRouter(tags=["status"])


@router.get("/", summary="Say who answers")
async def read_root() -> RootAnswer:
    return RootAnswer()


@router.get(
    "/health",
    summary="Say whether the default model can predict",
    responses={503: {"model": HealthAnswer, "description": "No model is loaded"}},
)
async def read_health(request: Request, response: Response) -> HealthAnswer:
    registry: ModelRegistry = request.app.state.registry
    try:
        model = registry.default
    except ModelUnavailable:
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return HealthAnswer(status="unhealthy", model=registry.default_name, model_version=None)
    return HealthAnswer(status="healthy", model=model.name, model_version=model.version)


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
