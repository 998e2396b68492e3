"""Who answers here, and whether it can."""

from fastapi import APIRouter, Request, Response

from predictor.errors import ModelUnavailable
from predictor.registry import ModelRegistry
from predictor.routes.failures import RETRY_AFTER_SECONDS
from predictor.schemas import HealthAnswer, LivenessAnswer, RootAnswer

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
