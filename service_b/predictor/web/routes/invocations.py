"""MLflow's scoring protocol, so that its clients can use the models as they are."""

from collections.abc import Collection, Sequence
from typing import Any, get_args

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic_core import to_json

from predictor.errors import InputRejected, InvalidInput, ModelNotFound, ModelUnavailable
from predictor.inference.runner import run_in_pieces
from predictor.inference.served_model import ServedModel
from predictor.settings import Settings
from predictor.versions.registry import ModelRegistry
from predictor.web.json_body import BodyReader
from predictor.web.mlflow_frames import Row, name_columns, read_rows, to_fields, to_value
from predictor.web.routes.failures import BODY_FAILURES, NO_MODEL, RETRY_AFTER, count_failure
from predictor.web.routes.predict import find_endpoint, predict_inputs, receive_body
from predictor.web.schemas import ErrorAnswer, ScoringAnswer, ScoringError
from predictor.web.validation import check, reject

# The MLflow whose protocol this is; requirements-mlflow.txt has the same.
_PROTOCOL_VERSION = "3.17.2"

router = APIRouter(tags=["mlflow"])

_FRAME = {
    "type": "object",
    "description": "one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`, "
    "with the column names of the training data",
}


@router.get(
    "/ping",
    summary="Say whether the default model can predict",
    response_class=Response,
    responses={
        503: {
            "model": ErrorAnswer,
            "description": "No version of it is loaded, or the service is about to stop",
        }
    },
)
async def ping(request: Request) -> Response:
    if request.app.state.draining.is_set():
        return JSONResponse({"detail": "The service is stopping"}, 503, RETRY_AFTER)
    registry: ModelRegistry = request.app.state.registry
    _ = registry.default
    return Response("\n", media_type="application/json")


@router.get(
    "/version",
    summary="Name the version of MLflow whose protocol this is",
    response_class=Response,
    responses={200: {"description": f"the bare version, such as `{_PROTOCOL_VERSION}`"}},
)
async def read_version() -> Response:
    # MLflow's own servers call it JSON, too.
    return Response(_PROTOCOL_VERSION, media_type="application/json")


@router.post(
    "/invocations",
    summary="Predict the rows of a frame",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _FRAME}}}
    },
    responses={
        200: {"model": ScoringAnswer},
        400: {"model": ScoringError, "description": "A row is wrong; none is predicted"},
        404: {"model": ScoringError, "description": "There is no such model"},
        **BODY_FAILURES,
        503: {"model": ScoringError, "description": "No version of the model is loaded"},
    },
)
async def invoke(
    request: Request,
    name: str | None = Query(
        default=None,
        alias="model",
        description="the default if left out; any other model by its name",
    ),
) -> Response:
    registry: ModelRegistry = request.app.state.registry
    rows: list[Row] = []
    try:
        model = registry.default if name is None else find_endpoint(request, name)
        rows = await _read(request, model)
        predictions = await _predict(request, model, rows)
    except InvalidInput as error:
        # If one row is wrong, none of its neighbours is predicted.
        count_failure(request, "invalid_input", len(rows) or 1)
        return _fail(400, "BAD_REQUEST", _summarise(error), error.problems)
    except ModelNotFound as error:
        count_failure(request, "model_not_found")
        return _fail(404, "RESOURCE_DOES_NOT_EXIST", str(error), str(error))
    except ModelUnavailable:
        count_failure(request, "model_unavailable")
        return _fail(503, "TEMPORARILY_UNAVAILABLE", NO_MODEL, NO_MODEL)
    return Response(to_json({"predictions": predictions}), media_type="application/json")


async def _read(request: Request, model: ServedModel) -> list[Row]:
    settings: Settings = request.app.state.settings
    reader: BodyReader = request.app.state.body_reader
    body = reader.parse(await receive_body(request, settings.max_rows), allow_nan=True)
    return read_rows(body, list(model.columns), settings.max_rows)


async def _predict(request: Request, model: ServedModel, rows: Sequence[Row]) -> list[Any]:
    nullable = _find_nullable(model.input_type)

    async def check_piece(some: Sequence[Row], start: int) -> list[BaseModel]:
        try:
            return [
                check(model.input_type, to_fields(row, model.columns, nullable), ["body", index])
                for index, row in enumerate(some, start)
            ]
        except InvalidInput as error:
            raise name_columns(error, model.columns) from None

    async def predict_piece(some: Sequence[BaseModel], start: int) -> list[Any]:
        values = []
        for index, outcome in enumerate(await predict_inputs(request, model, some), start):
            if isinstance(outcome, InputRejected):
                raise reject(outcome, ["body", index])
            values.append(to_value(outcome))
        return values

    inputs = await run_in_pieces(model, rows, check_piece)
    return await run_in_pieces(model, inputs, predict_piece)


def _find_nullable(input_type: type[BaseModel]) -> Collection[str]:
    return {
        name
        for name, field in input_type.model_fields.items()
        if type(None) in get_args(field.annotation)
    }


def _summarise(error: InvalidInput) -> str:
    first = error.problems[0]
    place: Any = first["loc"]
    more = len(error.problems) - 1
    return f"{'.'.join(map(str, place))}: {first['msg']}" + (f" (and {more} more)" if more else "")


def _fail(status: int, code: str, message: str, detail: object) -> Response:
    body = {"error_code": code, "message": message, "detail": detail}
    headers = RETRY_AFTER if status == 503 else None
    content = to_json(body, inf_nan_mode="strings")
    return Response(content, status, headers=headers, media_type="application/json")
