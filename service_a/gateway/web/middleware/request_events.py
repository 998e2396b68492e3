"""An event for each `POST`, for those who watch."""

from collections.abc import Awaitable, Mapping
from typing import Any

import jiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.intake.entries import Answer
from gateway.telemetry.events import Watchers
from gateway.telemetry.latencies import Latencies
from gateway.telemetry.passage import Passage


class RequestEvents:
    """ASGI middleware around `RequestLine`: publishes what becomes of each `POST`."""

    def __init__(self, app: ASGIApp, watchers: Watchers, latencies: Latencies) -> None:
        self._app = app
        self._watchers = watchers
        self._latencies = latencies

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if not self._watchers or scope.get("method") != "POST":
            return self._app(scope, receive, send)
        return self._call(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, send_noting_status)
        if "route" in scope:  # otherwise it isn't one of the gateway's calls
            event = _describe(scope, status)
            self._latencies.count(event["stages"]["total"])
            self._watchers.publish("request", event)


def _describe(scope: Scope, status: int) -> dict[str, Any]:
    state = scope["state"]
    stages: Passage = state["trace"].stages
    answers = [result for result in stages.results if isinstance(result, Answer)]
    return {
        "request_id": state["trace"].request_id,
        "route": scope["route"].path,
        "status": status,
        "outcome": state["log_fields"].get("outcome", "refused" if status >= 400 else "done"),
        "inputs": stages.inputs,
        "price": answers[0].price if stages.inputs == 1 and answers else None,
        "model": stages.model or (_find_model(answers[0]) if answers else None),
        "model_version": answers[0].model_version if answers else None,
        "stages": stages.measure(),
        "call": stages.call.number if stages.call else None,
    }


def _find_model(answer: Answer) -> str | None:
    """Return the name of the default model, which only Service B's answer has."""
    prediction: Mapping[str, Any] = jiter.from_json(answer.body)["prediction"]
    name = prediction.get("model")
    return name if isinstance(name, str) else None
