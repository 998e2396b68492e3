"""Taking in actual prices, for inputs that are in the log."""

from functools import partial

from fastapi import APIRouter, Depends, Request

from gateway.errors import InvalidInput
from gateway.input_log.actuals import Actual, ActualsLog
from gateway.intake.read_queue import ReadQueue
from gateway.web.actuals_schemas import ActualPrice, Actuals, ActualsAnswer, UnknownInput
from gateway.web.json_body import BodyReader
from gateway.web.openapi import refer_to_body
from gateway.web.routes.failures import BODY_FAILURES
from gateway.web.routes.inputs import catch_up
from gateway.web.schemas import ErrorAnswer, InvalidInputAnswer
from gateway.web.validation import check, check_each

router = APIRouter(tags=["quality"], dependencies=[Depends(catch_up)])


@router.post(
    "/actuals",
    summary="Report what up to 1,000 inputs turned out to be worth",
    openapi_extra=refer_to_body("ActualsRequest"),
    response_model_exclude_none=True,
    responses={
        **BODY_FAILURES,
        422: {
            "model": InvalidInputAnswer,
            "description": "One of them is wrong: it isn't as described; it is for an input "
            "that nothing was predicted for, or for one that another of them is for as well; or "
            "the request has several inputs, which only their numbers keep apart",
        },
        503: {"model": ErrorAnswer, "description": "The log can't be written"},
    },
)
async def record_actuals(request: Request) -> ActualsAnswer:
    """All are recorded in one commit, or none if one of them is wrong. A price for an input that
    isn't in the log is passed over and listed in the answer. If several prices are reported for an
    input one after the other, the latest counts."""
    reader: BodyReader = request.app.state.body_reader
    log: ActualsLog = request.app.state.actuals_log
    queue: ReadQueue = request.app.state.read_queue
    content = reader.parse(await reader.read(request))
    values = check(Actuals, content, ["body"]).actuals
    actuals = [
        Actual(each.price, each.number, each.request_id)
        for each in check_each(ActualPrice, values, ["body", "actuals"])
    ]
    try:
        unknown = await queue.record(partial(log.record, actuals))
    except InvalidInput as error:
        problems = [{**each, "loc": ["body", "actuals", *each["loc"]]} for each in error.problems]
        raise InvalidInput(problems) from None
    recorded = len(actuals) - len(unknown)
    request.state.log_fields.update(outcome="recorded", inputs=recorded)
    return ActualsAnswer(
        recorded=recorded,
        unknown=[UnknownInput(number=each.number, request_id=each.request_id) for each in unknown],
    )
