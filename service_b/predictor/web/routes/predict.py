"""Predictions: of the default model, and of each model by its name."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from predictor.errors import InputRejected, InvalidInput, ModelNotFound
from predictor.inference.runner import Runner, run_in_pieces
from predictor.inference.served_model import Outcome, ServedModel
from predictor.settings import Settings
from predictor.shadow.shadow import Shadow
from predictor.telemetry.stages import Stages
from predictor.versions.registry import ModelRegistry
from predictor.web.answers import Answer, write_answer, write_result
from predictor.web.json_body import BodyReader
from predictor.web.quick_check import Form, check_quickly
from predictor.web.routes.failures import BODY_FAILURES, count_failure
from predictor.web.schemas import BatchRequest, ErrorAnswer, InvalidInputAnswer, PredictRequest
from predictor.web.validation import check, reject
from predictor.web.value_count import check_value_count

_FAILURES: dict[int | str, dict[str, Any]] = {
    **BODY_FAILURES,
    422: {"model": InvalidInputAnswer, "description": "The input is wrong"},
    503: {"model": ErrorAnswer, "description": "No version of the model is loaded"},
}

# It stands there until a model is loaded; then the model's own schema takes its place.
_ANY_OBJECT = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}

router = APIRouter(tags=["predict"], responses=_FAILURES)


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
    """After the name may come `@` and an alias, for the version that it names."""
    return await _answer_one(request, find_endpoint(request, name))


@router.post(
    "/models/{name}/predict/batch", summary="Predict many inputs, each with an outcome of its own"
)
async def predict_batch_by_name(request: Request, name: str) -> Response:
    """After the name may come `@` and an alias, for the version that it names."""
    return await _answer_many(request, find_endpoint(request, name))


# The model is passed on from here: one request is never answered by two versions.
async def _answer_one(request: Request, model: ServedModel) -> Response:
    (value,) = await _read_values(request, model, PredictRequest)
    checked = check(model.input_type, value, ["body", "input"])
    (outcome,) = await predict_inputs(request, model, [checked])
    if isinstance(outcome, InputRejected):
        raise reject(outcome, ["body", "input"])
    return _respond(write_answer(outcome))


async def _answer_many(request: Request, model: ServedModel) -> Response:
    values = await _read_values(request, model, BatchRequest)
    results = await run_in_pieces(model, values, partial(_answer_piece, request, model))
    return _respond({"results": results})


async def _answer_piece(
    request: Request, model: ServedModel, values: Sequence[Any], start: int
) -> list[Answer]:
    """Answer some inputs of a batch, of which the first has the index `start`."""
    valid: list[BaseModel] = []
    errors: dict[int, InvalidInput] = {}
    for index, value in enumerate(values, start):
        try:
            valid.append(check(model.input_type, value, ["body", "inputs", index]))
        except InvalidInput as error:
            errors[index] = error
    outcomes = iter(await predict_inputs(request, model, valid))
    results = [
        write_result(errors.get(index) or next(outcomes), ["body", "inputs", index])
        for index in range(start, start + len(values))
    ]
    failed = sum("error" in each for each in results)
    if failed:
        count_failure(request, "invalid_input", failed)
    return results


async def _read_values(request: Request, model: ServedModel, form: Form) -> list[Any]:
    """Read the inputs of a body; those that could be checked quickly are instances already."""
    body = await receive_body(request)
    inputs = check_quickly(model, form, body) if request.app.state.quick_check else None
    if inputs is None:
        inputs = check(form, request.app.state.body_reader.parse(body), ["body"]).list_inputs()
    return inputs


async def receive_body(request: Request, max_rows: int | None = None) -> bytes:
    """Read the body, within the limits of the settings; `max_rows` is for a message."""
    settings: Settings = request.app.state.settings
    reader: BodyReader = request.app.state.body_reader
    body = await reader.read(request)
    check_value_count(body, settings.max_body_values, max_rows)
    return body


async def predict_inputs(
    request: Request, model: ServedModel, inputs: Sequence[BaseModel]
) -> Sequence[Outcome]:
    """Predict, and name the model in the request's log line."""
    runner: Runner = request.app.state.runner
    stages: Stages = request.state.trace.stages
    stages.end("check")
    outcomes = await runner.predict(model, inputs)
    stages.end("predict")
    shadows: Mapping[str, Shadow] = request.app.state.shadows
    if model.name in shadows:
        shadows[model.name].offer(request.state.trace.request_id, model, inputs, outcomes)
    fields = request.state.log_fields
    predictions = fields.get("predictions", 0) + len(outcomes)
    fields.update(model=model.name, model_version=model.version, predictions=predictions)
    return outcomes


def find_endpoint(request: Request, name: str) -> ServedModel:
    """Find a model, or a version of it by an alias, that is open to callers by its name.

    Raises:
        ModelNotFound: there is none.
        ModelUnavailable: none of its versions is loaded.
    """
    endpoints: set[str] = request.app.state.endpoints
    registry = _registry(request)
    if _is_open(name, endpoints):
        with suppress(ModelNotFound):
            return registry.get(name)
    # Without those that are not open.
    known = [each for each in registry.all_names if _is_open(each, endpoints)]
    raise ModelNotFound(name, sorted(known))


def _is_open(name: str, endpoints: set[str]) -> bool:
    return name.partition("@")[0] in endpoints


def _registry(request: Request) -> ModelRegistry:
    registry: ModelRegistry = request.app.state.registry
    return registry


def _respond(answer: Answer) -> Response:
    # An input such as 1e400 is read as infinity, which only strings can echo in JSON.
    return Response(to_json(answer, inf_nan_mode="strings"), media_type="application/json")
