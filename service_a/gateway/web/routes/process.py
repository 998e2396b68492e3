"""Taking in an input: logged, and forwarded on request."""

from fastapi import APIRouter, Request, Response

from gateway.errors import GatewayError
from gateway.intake.intake import Intake
from gateway.settings import Settings
from gateway.telemetry.trace import Origin
from gateway.web.finite_json import write_json
from gateway.web.json_body import BodyReader
from gateway.web.openapi import refer_to_body
from gateway.web.schemas import ErrorAnswer, InvalidInputAnswer, ProcessAnswer, ProcessRequest
from gateway.web.validation import check

router = APIRouter(tags=["process"])


@router.post(
    "/process",
    summary="Log an input and, on request, predict",
    openapi_extra=refer_to_body("ProcessRequest"),
    response_model=ProcessAnswer,
    responses={
        404: {"model": ErrorAnswer, "description": "Service B has no model of this name"},
        408: {"model": ErrorAnswer, "description": "The body didn't arrive in time"},
        413: {"model": ErrorAnswer, "description": "The body is too large"},
        415: {"model": ErrorAnswer, "description": "The body is not declared as JSON"},
        422: {"model": InvalidInputAnswer, "description": "The input is wrong"},
        503: {"model": ErrorAnswer, "description": "The log or Service B is unavailable"},
    },
)
async def process(request: Request) -> Response:
    """The input is on disk before it is forwarded and before this answers."""
    settings: Settings = request.app.state.settings
    intake: Intake = request.app.state.intake
    origin: Origin = request.state.origin
    reader: BodyReader = request.app.state.body_reader
    content = reader.parse(await reader.read(request, settings.max_body_bytes))
    submission = check(ProcessRequest, content, ["body"])
    data = write_json(submission.data, ["body", "data"])
    forward_to_model, model = submission.forward_to_model, submission.model
    # As Python objects the input takes several times the memory, too much to keep from here on.
    del content, submission
    if not forward_to_model:
        await intake.keep(data, origin, model)
        request.state.log_fields["outcome"] = "logged"
        return _answer(b'{"status":"Input logged successfully"}')
    (answer,) = await intake.predict([data], origin, model)
    if isinstance(answer, GatewayError):
        raise answer
    request.state.log_fields["outcome"] = "predicted"
    return _answer(b'{"status":"Input logged successfully","model_prediction":%b}' % answer.body)


def _answer(body: bytes) -> Response:
    return Response(body, media_type="application/json")
