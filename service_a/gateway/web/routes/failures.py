"""What each error becomes to a caller: a status and a body."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic_core import to_json

from gateway.errors import (
    BodiesOverBudget,
    BodyTimeout,
    BodyTooLarge,
    FaultUnknown,
    ForeignPage,
    InputLogUnavailable,
    InputNotFound,
    InputRejected,
    InvalidInput,
    ModelUnknown,
    PredictorUnavailable,
    TooManyExports,
    TooManyWatchers,
    UnsupportedEncoding,
    WrongContentType,
)
from gateway.web.schemas import ErrorAnswer, InvalidInputAnswer
from gateway.web.validation import MAX_ECHO_CHARS

RETRY_AFTER = {"Retry-After": "5"}
"""In seconds; goes with every 503."""

BODY_FAILURES: dict[int | str, dict[str, Any]] = {
    408: {"model": ErrorAnswer, "description": "The body didn't arrive in time"},
    413: {"model": ErrorAnswer, "description": "The body is too large"},
    415: {"model": ErrorAnswer, "description": "Not declared as JSON, or compressed"},
}
"""What each call with a body may answer, for the documentation."""

FORWARD_FAILURES: dict[int | str, dict[str, Any]] = {
    **BODY_FAILURES,
    422: {"model": InvalidInputAnswer, "description": "The input is wrong"},
    503: {"model": ErrorAnswer, "description": "The log or Service B is unavailable"},
}
"""What each call that forwards inputs may answer."""


def add_failure_handlers(app: FastAPI) -> None:
    """Give each error of the gateway its status and body."""

    @app.exception_handler(InvalidInput)
    async def answer_invalid_input(request: Request, error: InvalidInput) -> Response:
        if isinstance(error, InputRejected):
            request.state.log_fields["outcome"] = "rejected"
        # A number such as 1e400 in B's problems was read as infinity, which JSON doesn't have.
        body = to_json({"detail": error.problems}, inf_nan_mode="null")
        return Response(body, status_code=422, media_type="application/json")

    @app.exception_handler(PredictorUnavailable)
    async def answer_predictor_unavailable(
        request: Request, error: PredictorUnavailable
    ) -> Response:
        request.state.log_fields.update(outcome="unavailable", reason=str(error))
        return _answer_later("Service B is unavailable")

    @app.exception_handler(InputLogUnavailable)
    async def answer_input_log_unavailable(
        request: Request, error: InputLogUnavailable
    ) -> Response:
        path = request.scope["route"].path
        outcome = "not recorded" if path == "/actuals" else "not logged"
        request.state.log_fields.update(outcome=outcome, reason=str(error))
        if path == "/actuals":
            return _answer_later("Actual prices could not be recorded")
        # Only the log's own routes read it; whoever posts wants to have something logged.
        reads = path.startswith(("/inputs", "/quality"))
        return _answer_later("Input log is unavailable" if reads else "Input could not be logged")

    @app.exception_handler(InputNotFound)
    async def answer_input_not_found(_: Request, __: InputNotFound) -> Response:
        return JSONResponse({"detail": "No input of this request is in the log"}, status_code=404)

    @app.exception_handler(ModelUnknown)
    async def answer_model_unknown(request: Request, error: ModelUnknown) -> Response:
        request.state.log_fields["outcome"] = "rejected"
        return JSONResponse({"detail": str(error)}, status_code=404)

    @app.exception_handler(RequestValidationError)
    async def answer_wrong_parameter(request: Request, error: RequestValidationError) -> Response:
        for problem in error.errors():
            if len(repr(problem.get("input"))) > MAX_ECHO_CHARS:
                del problem["input"]
        return await request_validation_exception_handler(request, error)

    @app.exception_handler(FaultUnknown)
    async def answer_fault_unknown(_: Request, error: FaultUnknown) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @app.exception_handler(ForeignPage)
    async def answer_foreign_page(_: Request, __: ForeignPage) -> Response:
        detail = "A page of another site may not make this call"
        return JSONResponse({"detail": detail}, status_code=403)

    @app.exception_handler(WrongContentType)
    async def answer_wrong_content_type(_: Request, __: WrongContentType) -> Response:
        return JSONResponse({"detail": "Content-Type must be application/json"}, status_code=415)

    @app.exception_handler(UnsupportedEncoding)
    async def answer_unsupported_encoding(_: Request, __: UnsupportedEncoding) -> Response:
        return JSONResponse(
            {"detail": "The body must not be compressed"},
            status_code=415,
            headers={"Accept-Encoding": "identity"},
        )

    @app.exception_handler(BodyTooLarge)
    async def answer_body_too_large(_: Request, error: BodyTooLarge) -> Response:
        detail = f"The body is over the limit of {error.max_bytes} bytes"
        return JSONResponse({"detail": detail}, status_code=413, headers={"Connection": "close"})

    @app.exception_handler(BodyTimeout)
    async def answer_body_timeout(_: Request, __: BodyTimeout) -> Response:
        detail = "The body did not arrive in time"
        return JSONResponse({"detail": detail}, status_code=408, headers={"Connection": "close"})

    @app.exception_handler(TooManyWatchers)
    async def answer_too_many_watchers(_: Request, __: TooManyWatchers) -> Response:
        return _answer_later("Too many are watching")

    @app.exception_handler(TooManyExports)
    async def answer_too_many_exports(_: Request, __: TooManyExports) -> Response:
        return _answer_later("Too many exports are under way")

    @app.exception_handler(BodiesOverBudget)
    async def answer_bodies_over_budget(_: Request, __: BodiesOverBudget) -> Response:
        return _answer_later("Too much is under way")


def _answer_later(detail: str) -> Response:
    return JSONResponse({"detail": detail}, status_code=503, headers=RETRY_AFTER)
