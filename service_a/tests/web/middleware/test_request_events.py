import asyncio
import json
from typing import Any

import pytest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.intake.entries import Answer
from gateway.telemetry.events import Watchers
from gateway.telemetry.latencies import Latencies
from gateway.telemetry.trace import read_trace
from gateway.web.middleware.request_events import RequestEvents
from tests.asgi_calls import AsgiCall

ROUTE = Route("/process", Response)


def make_app(results: list[Answer], model: str | None) -> Any:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        trace = read_trace("r1", "")
        trace.stages.end_reading(len(results), model)
        trace.stages.end_forward(0, results)
        scope["state"] = {"trace": trace, "log_fields": {"outcome": "predicted"}}
        if scope["path"] == "/process":
            scope["route"] = ROUTE
        await Response()(scope, receive, send)

    return answer


def publish(
    results: list[Answer], model: str | None = None, method: str = "POST", path: str = "/process"
) -> dict[str, Any] | None:
    """Return the event of a request, if it has one."""

    async def run() -> str:
        watchers = Watchers()
        watcher = watchers.join()
        app = RequestEvents(make_app(results, model), watchers, Latencies())
        await AsgiCall(app, method, path).end()
        watchers.close()
        return (await anext(watcher.read())).decode()

    text = asyncio.run(run())
    return json.loads(text.split("\n")[1].removeprefix("data: ")) if text else None


def test_model_is_the_one_that_the_answer_names_unless_the_caller_did() -> None:
    answer = Answer(b'{"prediction": {"model": "ames"}}', 2.0, "3")
    nameless = Answer(b'{"prediction": {"model": 5}}', 2.0, "3")

    events = [publish([answer]), publish([answer], "mine"), publish([nameless])]

    assert [event and event["model"] for event in events] == ["ames", "mine", None]
    assert events[0] is not None
    assert (events[0]["price"], events[0]["model_version"]) == (2.0, "3")


def test_batch_has_no_price_of_its_own() -> None:
    event = publish([Answer(b'{"prediction": {}}', 2.0, "3")] * 2)

    assert event is not None
    assert (event["inputs"], event["price"]) == (2, None)


@pytest.mark.parametrize(("method", "path"), [("GET", "/process"), ("POST", "/nothing")])
def test_what_is_no_call_with_inputs_has_no_event(method: str, path: str) -> None:
    assert publish([], method=method, path=path) is None
