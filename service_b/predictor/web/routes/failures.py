"""The status and the body with which each error is answered."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from predictor.errors import (
    BodiesOverBudget,
    BodyTimeout,
    BodyTooLarge,
    FaultUnknown,
    ForeignPage,
    InvalidInput,
    ModelNotFound,
    ModelUnavailable,
    NoChallenger,
    PredictorError,
    UnsupportedEncoding,
    WrongContentType,
)
from predictor.telemetry.metrics import Metrics
from predictor.web.schemas import ErrorAnswer
from predictor.web.validation import MAX_ECHO_CHARS

RETRY_AFTER = {"Retry-After": "5"}
"""In seconds; goes with every 503."""

NO_MODEL = "Model is not available"
"""The answer to a call for a model of which no version is loaded."""

BODY_FAILURES: dict[int | str, dict[str, Any]] = {
    408: {"model": ErrorAnswer, "description": "The body didn't arrive in time"},
    413: {"model": ErrorAnswer, "description": "The body is too large"},
    415: {"model": ErrorAnswer, "description": "Not declared as JSON, or compressed"},
}
"""What each call with a body may answer, for the documentation."""

Answer = Callable[[Request, Any], Awaitable[Response]]


def add_failure_handlers(app: FastAPI) -> None:
    """Give each error of the predictor its status and body, and count it by its kind."""

    def answers(error_type: type[PredictorError], kind: str) -> Callable[[Answer], Answer]:
        def register(answer: Answer) -> Answer:
            async def count_and_answer(request: Request, error: Any) -> Response:
                count_failure(request, kind)
                return await answer(request, error)

            app.add_exception_handler(error_type, count_and_answer)
            return answer

        return register

    @answers(InvalidInput, "invalid_input")
    async def answer_invalid_input(_: Request, error: InvalidInput) -> Response:
        return JSONResponse({"detail": error.problems}, status_code=422)

    @answers(ModelNotFound, "model_not_found")
    async def answer_model_not_found(_: Request, error: ModelNotFound) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @answers(NoChallenger, "model_not_found")
    async def answer_no_challenger(_: Request, error: NoChallenger) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @answers(ModelUnavailable, "model_unavailable")
    async def answer_model_unavailable(_: Request, __: ModelUnavailable) -> Response:
        return _answer_later(NO_MODEL)

    @answers(BodiesOverBudget, "overloaded")
    async def answer_bodies_over_budget(_: Request, __: BodiesOverBudget) -> Response:
        return _answer_later("Too much is under way")

    @app.exception_handler(RequestValidationError)
    async def answer_wrong_parameter(request: Request, error: RequestValidationError) -> Response:
        for problem in error.errors():
            if len(repr(problem.get("input"))) > MAX_ECHO_CHARS:
                del problem["input"]
        return await request_validation_exception_handler(request, error)

    @app.exception_handler(FaultUnknown)
    async def answer_fault_unknown(_: Request, error: FaultUnknown) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @answers(ForeignPage, "foreign_page")
    async def answer_foreign_page(_: Request, __: ForeignPage) -> Response:
        detail = "A page of another site may not make this call"
        return JSONResponse({"detail": detail}, status_code=403)

    @answers(WrongContentType, "body_refused")
    async def answer_wrong_content_type(_: Request, __: WrongContentType) -> Response:
        return JSONResponse({"detail": "Content-Type must be application/json"}, status_code=415)

    @answers(UnsupportedEncoding, "body_refused")
    async def answer_unsupported_encoding(_: Request, __: UnsupportedEncoding) -> Response:
        return JSONResponse(
            {"detail": "The body must not be compressed"},
            status_code=415,
            headers={"Accept-Encoding": "identity"},
        )

    @answers(BodyTooLarge, "body_refused")
    async def answer_body_too_large(_: Request, error: BodyTooLarge) -> Response:
        detail = f"The body is over the limit of {error.max_bytes} bytes"
        return JSONResponse({"detail": detail}, status_code=413, headers={"Connection": "close"})

    @answers(BodyTimeout, "body_refused")
    async def answer_body_timeout(_: Request, __: BodyTimeout) -> Response:
        detail = "The body did not arrive in time"
        return JSONResponse({"detail": detail}, status_code=408, headers={"Connection": "close"})


def count_failure(request: Request, kind: str, number: int = 1) -> None:
    """Count an error that is answered; a batch may have it for a `number` of inputs."""
    metrics: Metrics = request.app.state.metrics
    metrics.count_errors(kind, number)


def _answer_later(detail: str) -> Response:
    return JSONResponse({"detail": detail}, status_code=503, headers=RETRY_AFTER)
