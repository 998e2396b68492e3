"""Predictions of the default model."""

from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel

from predictor.contract import refer_to_body
from predictor.errors import InvalidInput
from predictor.json_body import read_json
from predictor.model import Model, describe
from predictor.registry import ModelRegistry
from predictor.schemas import (
    BatchAnswer,
    BatchError,
    BatchRequest,
    ErrorAnswer,
    InvalidInputAnswer,
    PredictAnswer,
    PredictRequest,
)
from predictor.settings import Settings
from predictor.validation import check

router = APIRouter(
    tags=["predict"],
    responses={
        408: {"model": ErrorAnswer, "description": "The body didn't arrive in time"},
        413: {"model": ErrorAnswer, "description": "The body is too large"},
        415: {"model": ErrorAnswer, "description": "The body is not declared as JSON"},
        422: {"model": InvalidInputAnswer, "description": "The input is wrong"},
        503: {"model": ErrorAnswer, "description": "No model is loaded"},
    },
)


@router.post("/predict", summary="Predict one input", openapi_extra=refer_to_body("PredictRequest"))
async def predict(request: Request) -> PredictAnswer:
    registry: ModelRegistry = request.app.state.registry
    model = registry.default
    body = check(PredictRequest, await _read_body(request), ["body"])
    house = check(model.input_type, body.input, ["body", "input"])
    return (await _predict(request, model, [house]))[0]


@router.post(
    "/predict/batch",
    summary="Predict many inputs, each with an outcome of its own",
    openapi_extra=refer_to_body("BatchRequest"),
    response_model_exclude_unset=True,  # a problem that echoes no input has none
)
async def predict_batch(request: Request) -> BatchAnswer:
    registry: ModelRegistry = request.app.state.registry
    model = registry.default  # read once: one batch is never answered by two versions
    batch = check(BatchRequest, await _read_body(request), ["body"])
    results: list[PredictAnswer | BatchError | None] = []
    valid: list[BaseModel] = []
    for index, value in enumerate(batch.inputs):
        try:
            valid.append(check(model.input_type, value, ["body", "inputs", index]))
            results.append(None)
        except InvalidInput as error:
            detail = InvalidInputAnswer.model_validate({"detail": error.problems})
            results.append(BatchError(error=detail))
    answers = iter(await _predict(request, model, valid))
    return BatchAnswer(results=[result or next(answers) for result in results])


async def _read_body(request: Request) -> Any:
    settings: Settings = request.app.state.settings
    return await read_json(
        request,
        max_bytes=settings.max_body_bytes,
        timeout_seconds=settings.body_timeout_seconds,
    )


async def _predict(request: Request, model: Model, inputs: list[BaseModel]) -> list[PredictAnswer]:
    """Predict in a thread, so that health checks are answered meanwhile."""
    limiter: CapacityLimiter = request.app.state.predict_limiter
    predictions = await to_thread.run_sync(model.predict, inputs, limiter=limiter) if inputs else []
    request.state.log_fields.update(
        model=model.card.name, model_version=model.card.version, predictions=len(predictions)
    )
    return [PredictAnswer(prediction=each, message=describe(each)) for each in predictions]
