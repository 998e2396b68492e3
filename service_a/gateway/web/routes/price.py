"""The public contract: houses in, prices out, and nothing of the model's inside."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from gateway.errors import GatewayError, InputRejected, PredictorUnavailable
from gateway.intake.entries import Answer
from gateway.intake.intake import Intake
from gateway.web.house import House
from gateway.web.json_body import BodyReader
from gateway.web.openapi import refer_to_body
from gateway.web.price_schemas import PriceAnswer, PriceBatch, PriceBatchAnswer
from gateway.web.routes.failures import FORWARD_FAILURES
from gateway.web.sent_json import cut_member, cut_objects, cut_whole
from gateway.web.validation import check, check_each

router = APIRouter(prefix="/api/v1/price", tags=["price"], responses=FORWARD_FAILURES)


@router.post(
    "/predict",
    summary="Predict the price of a house",
    openapi_extra=refer_to_body("House"),
    response_model=PriceAnswer,
)
async def predict_price(request: Request) -> Response:
    """The house is in the input log before it is forwarded to Service B."""
    content, body = await read_body(request, request.app.state.body_reader)
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
    """The prices are in the order of the houses. If one house is wrong, the whole batch is
    refused."""
    ids, houses = _split(*await read_body(request, request.app.state.batch_reader))
    places = [("body", "data", index) for index in range(len(houses))]
    answers = await predict_all(request, houses, places)
    prices = b",".join(map(_write_price, ids, answers))
    return Response(b'{"predictions":[%b]}' % prices, media_type="application/json")


async def read_body(request: Request, reader: BodyReader) -> tuple[Any, bytes]:
    """Return what the body holds, and the body itself."""
    body = await reader.read(request)
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
