"""The public contract: houses in, prices out, and nothing of the model's inside."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from gateway.errors import GatewayError, InputRejected, PredictorUnavailable
from gateway.intake.entries import Answer
from gateway.intake.intake import Intake
from gateway.settings import Settings
from gateway.web.house import House
from gateway.web.json_body import BodyReader
from gateway.web.openapi import refer_to_body
from gateway.web.schemas import (
    ErrorAnswer,
    InvalidInputAnswer,
    PriceAnswer,
    PriceBatch,
    PriceBatchAnswer,
)
from gateway.web.sent_json import cut_member, cut_objects, cut_whole
from gateway.web.validation import check, check_each

FAILURES: dict[int | str, dict[str, Any]] = {
    408: {"model": ErrorAnswer, "description": "The body didn't arrive in time"},
    413: {"model": ErrorAnswer, "description": "The body is too large"},
    415: {
        "model": ErrorAnswer,
        "description": "Not declared as JSON, or compressed",
    },
    422: {"model": InvalidInputAnswer, "description": "The input is wrong"},
    503: {"model": ErrorAnswer, "description": "The log or Service B is unavailable"},
}

router = APIRouter(prefix="/api/v1/price", tags=["price"], responses=FAILURES)


@router.post(
    "/predict",
    summary="Predict the price of a house",
    openapi_extra=refer_to_body("House"),
    response_model=PriceAnswer,
)
async def predict_price(request: Request) -> Response:
    """The house is in the input log before it is forwarded to Service B."""
    settings: Settings = request.app.state.settings
    content, body = await read_body(request, settings.max_body_bytes)
    house = check(House, content, ["body"])
    (answer,) = await predict_all(request, [cut_whole(body)], [("body",)])
    return Response(_write_price(house.id, answer), media_type="application/json")


@router.post(
    "/predict/batch",
    summary="Predict the prices of up to 1,000 houses",
    openapi_extra=refer_to_body("PriceBatchRequest"),
    response_model=PriceBatchAnswer,
)
async def predict_prices(request: Request) -> Response:
    """In the order of the houses. One that is wrong has the whole batch refused."""
    settings: Settings = request.app.state.settings
    ids, houses = _split(*await read_body(request, settings.max_batch_body_bytes))
    places = [("body", "data", index) for index in range(len(houses))]
    answers = await predict_all(request, houses, places)
    prices = b",".join(map(_write_price, ids, answers))
    return Response(b'{"predictions":[%b]}' % prices, media_type="application/json")


async def read_body(request: Request, max_bytes: int) -> tuple[Any, bytes]:
    """Return what the body holds, and the body itself."""
    reader: BodyReader = request.app.state.body_reader
    body = await reader.read(request, max_bytes)
    return reader.parse(body), body


def _split(content: Any, body: bytes) -> tuple[list[float], list[bytes]]:
    """Return the ids and the JSON of a batch's houses.

    As Python objects they take several times the memory, too much to keep while B is awaited.
    """
    values = check(PriceBatch, content, ["body"]).data
    ids = [house.id for house in check_each(House, values, ["body", "data"])]
    return ids, cut_objects(cut_member(body, content, "data"))


async def predict_all(
    request: Request,
    documents: Sequence[bytes],
    places: Sequence[tuple[str | int, ...]],
    model: str | None = None,
) -> list[Answer]:
    """Return an answer for every input, given as JSON, or raise for all of them."""
    intake: Intake = request.app.state.intake
    results = await intake.predict(documents, request.state.trace, model)
    problems = [
        problem
        for result, place in zip(results, places, strict=True)
        if isinstance(result, InputRejected)
        for problem in result.place(*place).problems
    ]
    if problems:
        raise InputRejected(problems)
    answers: list[Answer] = []
    for result in results:
        if isinstance(result, GatewayError):
            raise result
        answers.append(result)
    request.state.log_fields.update(outcome="predicted", inputs=len(answers))
    return answers


def _write_price(house_id: float, answer: Answer) -> bytes:
    if answer.price is None:
        raise PredictorUnavailable("the prediction is no price")
    return b'{"id":%d,"predictedPrice":%b}' % (house_id, to_json(answer.price))
