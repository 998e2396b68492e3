"""The public contract for instances of another model: its prices, and how far to trust them."""

from typing import Any

import jiter
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from gateway.errors import ModelUnknown, PredictorUnavailable
from gateway.intake.entries import Answer
from gateway.settings import Settings
from gateway.web.finite_json import check_finite
from gateway.web.openapi import refer_to_body
from gateway.web.price_schemas import Instances, InstancesAnswer, PredictedPrice
from gateway.web.routes.failures import FORWARD_FAILURES
from gateway.web.routes.price import predict_all, read_body
from gateway.web.sent_json import cut_items, cut_member
from gateway.web.validation import check

router = APIRouter(prefix="/api/v1", tags=["price"], responses=FORWARD_FAILURES)


@router.post(
    "/predict",
    summary="Predict the prices of up to 100 instances",
    openapi_extra=refer_to_body("InstancesRequest"),
    response_model=InstancesAnswer,
)
async def predict_instances(request: Request) -> Response:
    """The predictions are in the order of the instances, which are districts of California unless
    the settings name another model. If one instance is wrong, the whole call is refused."""
    settings: Settings = request.app.state.settings
    instances = _split(*await read_body(request, request.app.state.body_reader))
    places = [("body", "instances", index) for index in range(len(instances))]
    try:
        answers = await predict_all(request, instances, places, settings.instances_model)
    except ModelUnknown as error:  # its name is not the caller's
        raise PredictorUnavailable(str(error)) from error
    versions = dict.fromkeys(each.model_version for each in answers if each.model_version)
    answer = InstancesAnswer(
        predictions=[_read_price(each) for each in answers],
        model_version=", ".join(versions) or None,
    )
    return Response(answer.model_dump_json(), media_type="application/json")


def _split(content: Any, body: bytes) -> list[bytes]:
    """Return the JSON of each instance. Service B says whether it is right."""
    values = check(Instances, content, ["body"]).instances
    for index, value in enumerate(values):
        check_finite(value, ["body", "instances", index])
    return cut_items(cut_member(body, content, "instances"), len(values))


def _read_price(answer: Answer) -> PredictedPrice:
    try:
        return PredictedPrice.model_validate(jiter.from_json(answer.body)["prediction"])
    except ValidationError as error:
        raise PredictorUnavailable("the prediction is no price with an interval") from error
