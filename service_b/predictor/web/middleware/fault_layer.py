"""Predictions that go wrong on purpose, so that callers meet what can happen."""

import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from predictor.faults import Fault, Faults, PartialFault, SlowFault
from predictor.web.routes.failures import NO_MODEL, RETRY_AFTER
from predictor.web.schemas import UnhealthyAnswer

KINDS: Mapping[str, type[Fault]] = {
    "delay": SlowFault,
    "hang": Fault,
    "error": PartialFault,
    "garbage": Fault,
    "wrong_shape": Fault,
    "not_ready": Fault,
    "drip": Fault,
}

_PREDICTIONS = ("/predict", "/predict/batch", "/invocations")
_PROBES = ("/health", "/ping")
_DRIP_SECONDS = 0.2


class FaultLayer:
    """ASGI middleware: answers predictions as the faults in force say.

    It leaves other calls alone, so that faults can be seen and ended; a service that isn't ready
    says so to its probes too.
    """

    def __init__(self, app: ASGIApp, faults: Faults, default_model: str) -> None:
        self._app = app
        self._faults = faults
        self._default_model = default_model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            if scope["path"].endswith(_PREDICTIONS):
                app = await self._meet_faults()
            elif scope["path"] in _PROBES and self._faults.find("not_ready"):
                app = self._answer_probe(scope["path"])
        await app(scope, receive, send)

    async def _meet_faults(self) -> ASGIApp:
        """Return what is to answer a prediction, perhaps after a while."""
        delay, error = self._faults.find("delay"), self._faults.find("error")
        if isinstance(delay, SlowFault):
            await self._faults.wait("delay", delay.ms / 1000)
        await self._faults.wait("hang")
        if isinstance(error, PartialFault) and random.random() < error.share:  # noqa: S311
            return JSONResponse({"detail": "Internal error"}, 500)
        if self._faults.find("not_ready"):
            return _answer_later({"detail": NO_MODEL})
        if self._faults.find("garbage"):
            return Response("<html>It works!</html>", media_type="application/json")
        if self._faults.find("wrong_shape"):
            return JSONResponse({"prediction": {"price": "a lot"}})
        if self._faults.find("drip"):
            return StreamingResponse(self._drip(), media_type="application/json")
        return self._app

    def _answer_probe(self, path: str) -> Response:
        if path != "/health":
            return _answer_later({"detail": NO_MODEL})
        return _answer_later(UnhealthyAnswer(model=self._default_model).model_dump())

    async def _drip(self) -> AsyncIterator[bytes]:
        """Send a space now and then, which JSON may begin with, and never more."""
        while self._faults.find("drip"):
            yield b" "
            await self._faults.wait("drip", _DRIP_SECONDS)


def _answer_later(content: Any) -> Response:
    return JSONResponse(content, 503, RETRY_AFTER)
