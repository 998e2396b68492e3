"""Predictions: of the default model, and of each model by its name."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from predictor.errors import InputRejected, InvalidInput, ModelNotFound
from predictor.inference.served_model import Answer, ServedModel
from predictor.settings import Settings
from predictor.telemetry.metrics import Metrics
from predictor.versions.registry import ModelRegistry
from predictor.web.json_body import BodyReader
from predictor.web.quick_check import Form, check_quickly
from predictor.web.schemas import (
    MAX_BATCH,
    BatchRequest,
    ErrorAnswer,
    InvalidInputAnswer,
    PredictRequest,
)
from predictor.web.validation import check, reject

Outcome = TypeVar("Outcome")

FAILURES: dict[int | str, dict[str, Any]] = {
    408: {"model": ErrorAnswer, "description": "The body didn't arrive in time"},
    413: {"model": ErrorAnswer, "description": "The body is too large"},
    415: {"model": ErrorAnswer, "description": "The body is not declared as JSON"},
    422: {"model": InvalidInputAnswer, "description": "The input is wrong"},
    503: {"model": ErrorAnswer, "description": "No version of the model is loaded"},
}

# Until a model is loaded; then the contract has the model's own schema in its place.
_ANY_OBJECT = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}

router = APIRouter(tags=["predict"], responses=FAILURES)


@router.post("/predict", summary="Predict one input", openapi_extra=_ANY_OBJECT)
async def predict(request: Request) -> Response:
    return await _answer_one(request, _registry(request).default)


@router.post(
    "/predict/batch",
    summary="Predict many inputs, each with an outcome of its own",
    openapi_extra=_ANY_OBJECT,
)
async def predict_batch(request: Request) -> Response:
    return await _answer_many(request, _registry(request).default)


@router.post("/models/{name}/predict", summary="Predict one input")
async def predict_by_name(request: Request, name: str) -> Response:
    return await _answer_one(request, find_endpoint(request, name))


@router.post(
    "/models/{name}/predict/batch", summary="Predict many inputs, each with an outcome of its own"
)
async def predict_batch_by_name(request: Request, name: str) -> Response:
    return await _answer_many(request, find_endpoint(request, name))


def find_endpoint(request: Request, name: str) -> ServedModel:
    """Find a model that is open to callers by its name.

    Raises:
        ModelNotFound: there is none.
        ModelUnavailable: none of its versions is loaded.
    """
    endpoints: set[str] = request.app.state.endpoints
    if name not in endpoints:
        raise ModelNotFound(name, sorted(endpoints))
    return _registry(request).get(name)


async def receive_body(request: Request) -> bytes:
    """Read the body, within the limits of the settings."""
    settings: Settings = request.app.state.settings
    reader: BodyReader = request.app.state.body_reader
    return await reader.read(request, settings.max_body_bytes)


async def predict_inputs(
    request: Request,
    model: ServedModel,
    predict: Callable[[Sequence[BaseModel]], Sequence[Outcome]],
    inputs: list[BaseModel],
) -> list[Outcome]:
    """Predict with a method of the model.

    What isn't quick in a thread, so that health checks are answered meanwhile.
    """
    limiter = request.app.state.limiters[model.name]
    metrics: Metrics = request.app.state.metrics
    started = time.perf_counter()
    outcomes: list[Outcome] = []
    if inputs:
        if len(inputs) <= model.quick_batch:
            outcomes += predict(inputs)
        else:
            outcomes += await to_thread.run_sync(predict, inputs, limiter=limiter)
        seconds = time.perf_counter() - started
        metrics.count_predictions(model.name, model.version, len(inputs), seconds)
    fields = request.state.log_fields
    predictions = fields.get("predictions", 0) + len(outcomes)
    fields.update(model=model.name, model_version=model.version, predictions=predictions)
    return outcomes


# The model is passed on from here: one request is never answered by two versions.
async def _answer_one(request: Request, model: ServedModel) -> Response:
    values = await _read_values(request, model, PredictRequest)
    value = check(model.input_type, values[0], ["body", "input"])
    (outcome,) = await predict_inputs(request, model, model.answer, [value])
    if isinstance(outcome, InputRejected):
        raise reject(outcome, ["body", "input"])
    return _respond(outcome)


async def _answer_many(request: Request, model: ServedModel) -> Response:
    values = await _read_values(request, model, BatchRequest)
    results: list[Answer] = []
    # A fast model gets pieces, each checked when its turn comes: the checked inputs of a large
    # batch don't fit into the processor's caches, and other callers get their turn in between.
    size = model.quick_batch or MAX_BATCH
    for start in range(0, len(values), size):
        if start:
            await asyncio.sleep(0)
        results += await _answer_piece(request, model, values[start : start + size], start)
    return _respond({"results": results})


async def _read_values(request: Request, model: ServedModel, form: Form) -> list[Any]:
    """Read the inputs of a body; those that could be checked quickly are instances already."""
    body = await receive_body(request)
    inputs = check_quickly(model, form, body) if request.app.state.quick_check else None
    if inputs is None:
        inputs = check(form, request.app.state.body_reader.parse(body), ["body"]).list_inputs()
    return inputs


async def _answer_piece(
    request: Request, model: ServedModel, values: list[Any], start: int
) -> list[Answer]:
    """Answer the inputs of a batch from `start` on, in one call of the model."""
    valid: list[BaseModel] = []
    errors: dict[int, InvalidInput] = {}
    for index, value in enumerate(values, start):
        try:
            valid.append(check(model.input_type, value, ["body", "inputs", index]))
        except InvalidInput as error:
            errors[index] = error
    outcomes = iter(await predict_inputs(request, model, model.answer, valid))
    results: list[Answer] = []
    for index in range(start, start + len(values)):
        outcome = errors.get(index) or next(outcomes)
        if isinstance(outcome, InputRejected):
            outcome = reject(outcome, ["body", "inputs", index])
        if isinstance(outcome, InvalidInput):
            results.append({"error": {"detail": outcome.problems}})
        else:
            results.append(outcome)
    return results


def _respond(answer: Answer) -> Response:
    # An input such as 1e400 is read as infinity, which only strings can echo in JSON.
    return Response(to_json(answer, inf_nan_mode="strings"), media_type="application/json")


def _registry(request: Request) -> ModelRegistry:
    registry: ModelRegistry = request.app.state.registry
    return registry
