"""The status and the body with which each error is answered."""

from fastapi import FastAPI, Request
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
    UnsupportedEncoding,
    WrongContentType,
)

RETRY_AFTER_SECONDS = 5


def add_failure_handlers(app: FastAPI) -> None:
    """Give each error of the predictor its status and body."""

    @app.exception_handler(InvalidInput)
    async def answer_invalid_input(_: Request, error: InvalidInput) -> Response:
        return JSONResponse({"detail": error.problems}, status_code=422)

    @app.exception_handler(ModelNotFound)
    async def answer_model_not_found(_: Request, error: ModelNotFound) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @app.exception_handler(ModelUnavailable)
    async def answer_model_unavailable(_: Request, __: ModelUnavailable) -> Response:
        return _answer_later("Model is not available")

    @app.exception_handler(BodiesOverBudget)
    async def answer_bodies_over_budget(_: Request, __: BodiesOverBudget) -> Response:
        return _answer_later("Too much is under way")

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


def _answer_later(detail: str) -> Response:
    return JSONResponse(
        {"detail": detail}, status_code=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
    )
