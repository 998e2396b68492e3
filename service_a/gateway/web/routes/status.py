"""Which service answers here, whether it can log, and what it counted."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.errors import InputLogUnavailable
from gateway.forwarding.circuit_breaker import CircuitState
from gateway.intake.lanes import Lanes
from gateway.intake.log_queue import LogQueue
from gateway.telemetry.metrics import Metrics
from gateway.web.schemas import HealthAnswer, LivenessAnswer, RootAnswer

# A scrape waits no longer for the quality, and then has what was computed before.
_QUALITY_SECONDS = 0.5

router = APIRouter(tags=["status"])


@router.get("/", summary="Say who answers")
async def read_root() -> RootAnswer:
    return RootAnswer()


@router.get(
    "/health",
    summary="Say whether inputs can be logged",
    responses={
        503: {"model": HealthAnswer, "description": "The log can't be written, or it will stop"}
    },
)
async def read_health(request: Request, response: Response) -> HealthAnswer:
    """Healthy while A can log, whatever becomes of Service B; not when it is about to stop."""
    log_queue: LogQueue = request.app.state.log_queue
    lanes: Lanes = request.app.state.lanes
    circuit = CircuitState(lanes.default_circuit)
    if request.app.state.draining.is_set():
        response.status_code = 503
        return HealthAnswer(status="draining", circuit_breaker=circuit)
    try:
        await log_queue.check()
    except InputLogUnavailable as error:
        request.state.log_fields["reason"] = str(error)
        response.status_code = 503
        return HealthAnswer(status="unhealthy", circuit_breaker=circuit)
    return HealthAnswer(status="healthy", circuit_breaker=circuit)


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
    lanes: Lanes = request.app.state.lanes
    metrics.set_model_circuits(lanes.read_circuits())
    metrics.quality.versions = await request.app.state.quality.look_for(_QUALITY_SECONDS)
    return Response(metrics.write(), media_type=CONTENT_TYPE_LATEST)
