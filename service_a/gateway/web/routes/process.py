"""Taking in an input: logged, and forwarded on request."""

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from gateway.errors import GatewayError, InputRejected
from gateway.intake.intake import Intake
from gateway.telemetry.trace import Trace
from gateway.web.finite_json import check_finite
from gateway.web.json_body import BodyReader
from gateway.web.openapi import refer_to_body
from gateway.web.routes.failures import FORWARD_FAILURES
from gateway.web.schemas import ErrorAnswer, ProcessAnswer, ProcessRequest
from gateway.web.sent_json import cut_member
from gateway.web.validation import check

router = APIRouter(tags=["process"])

_LOGGED = to_json(ProcessAnswer(), exclude_none=True)


@router.post(
    "/process",
    summary="Log an input and, on request, predict",
    openapi_extra=refer_to_body("ProcessRequest"),
    response_model=ProcessAnswer,
    responses={
        404: {"model": ErrorAnswer, "description": "Service B has no model of this name"},
        **FORWARD_FAILURES,
    },
)
async def process(request: Request) -> Response:
    """The input is on disk before it is forwarded and before this answers."""
    intake: Intake = request.app.state.intake
    trace: Trace = request.state.trace
    reader: BodyReader = request.app.state.body_reader
    body = await reader.read(request)
    content = reader.parse(body)
    submission = check(ProcessRequest, content, ["body"])
    check_finite(submission.data, ["body", "data"])
    data = cut_member(body, content, "data")
    forward_to_model, model = submission.forward_to_model, submission.model
    # As Python objects the input takes several times the memory, too much to keep from here on.
    del body, content, submission
    if not forward_to_model:
        await intake.keep(data, trace, model)
        request.state.log_fields["outcome"] = "logged"
        return Response(_LOGGED, media_type="application/json")
    (answer,) = await intake.predict([data], trace, model)
    if isinstance(answer, InputRejected):
        raise answer.place("body", "data")
    if isinstance(answer, GatewayError):
        raise answer
    request.state.log_fields["outcome"] = "predicted"
    body = b'%b,"model_prediction":%b}' % (_LOGGED[:-1], answer.body)
    return Response(body, media_type="application/json")
