import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.settings import load_settings
from gateway.telemetry.events import MAX_WATCHERS
from gateway.web.middleware.request_line import RequestLine
from tests.asgi_calls import AsgiCall
from tests.conftest import StartGateway
from tests.stub_server import PREDICTION, REJECTION, StubServer, answer

PAGE = Path(__file__).parents[3] / "gateway" / "web" / "lab_page"

Run = Callable[[Callable[[FastAPI], Awaitable[Any]]], Any]


class Event(NamedTuple):
    name: str
    number: int
    data: dict[str, Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, stub: StubServer, log_path: Path) -> Run:
    """Run something in the event loop of a gateway in front of the stub."""
    monkeypatch.setenv("SERVICE_B_URL", f"{stub.url}/predict")
    monkeypatch.setenv("INPUT_LOG_URL", f"sqlite:///{log_path}")

    def run(use: Callable[[FastAPI], Awaitable[Any]]) -> Any:
        async def run_gateway() -> Any:
            app = create_app(load_settings())
            async with app.router.lifespan_context(app):
                return await use(app)

        return asyncio.run(run_gateway())

    return run


def watch(app: FastAPI) -> AsgiCall:
    return AsgiCall(app, "GET", "/lab/events")


async def post(app: FastAPI, body: str, path: str = "/process") -> tuple[int, dict[str, str]]:
    call = AsgiCall(app, "POST", path, body.encode())
    head = await call.read_head()
    await call.end()
    return head


async def read_until(call: AsgiCall, name: str) -> list[Event]:
    """Read the events up to one of this name, and what comes in one piece with it."""
    events: list[Event] = []
    while name not in [event.name for event in events]:
        for event in (await call.read()).removesuffix("\n\n").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in event.split("\n"))
            events.append(Event(fields["event"], int(fields["id"]), json.loads(fields["data"])))
    return events


def find(events: list[Event], name: str) -> dict[str, Any]:
    (found,) = [event.data for event in events if event.name == name]
    return found


def test_request_and_its_call_are_shown_with_what_came_of_them(run: Run) -> None:
    async def use(app: FastAPI) -> tuple[str, list[Event]]:
        call = watch(app)
        await call.read_head()
        await read_until(call, "state")
        _, headers = await post(app, '{"data": {"overall_qual": 7}}')
        return headers["server-timing"], await read_until(call, "request")

    timing, events = run(use)

    request, call = find(events, "request"), find(events, "call")
    stages = request.pop("stages")
    assert list(stages) == ["read", "log", "wait", "predict", "total"]
    assert all(value >= 0 for value in stages.values())
    assert [part.split(";")[0] for part in timing.split(", ")] == list(stages)
    assert len(request.pop("request_id")) == 32
    assert request == {
        "route": "/process",
        "status": 200,
        "outcome": "predicted",
        "inputs": 1,
        "price": 208500.0,
        "model": "ames",
        "model_version": "1",
        "call": 1,
    }
    assert call.pop("duration_ms") > 0
    assert call == {"call": 1, "inputs": 1, "callers": 1, "outcome": "predicted"}


@pytest.mark.parametrize(
    ("body", "status", "outcome", "stages"),
    [
        ('{"data": 1, "forward_to_model": false}', 200, "logged", ["read", "log", "total"]),
        ("nonsense", 422, "refused", ["total"]),
        ('{"data": {}}', 422, "rejected", ["read", "log", "wait", "predict", "total"]),
    ],
)
def test_request_without_a_price_is_shown_as_far_as_it_got(
    run: Run, stub: StubServer, body: str, status: int, outcome: str, stages: list[str]
) -> None:
    stub.behave = answer(422, REJECTION)

    async def use(app: FastAPI) -> list[Event]:
        call = watch(app)
        await call.read_head()
        await post(app, body)
        return await read_until(call, "request")

    request = find(run(use), "request")

    assert (request["status"], request["outcome"], request["price"]) == (status, outcome, None)
    assert list(request["stages"]) == stages


def test_stages_of_service_b_are_shown_beside_those_of_the_gateway(
    run: Run, stub: StubServer
) -> None:
    stub.behave = answer(200, PREDICTION, "Server-Timing: check;dur=0.5, total;dur=2.25")

    async def use(app: FastAPI) -> str:
        return (await post(app, '{"data": {}}'))[1]["server-timing"]

    assert ", b_check;dur=0.5, b_total;dur=2.25, total;dur=" in run(use)


def test_state_has_what_the_gateway_can_say_of_itself(run: Run) -> None:
    async def use(app: FastAPI) -> dict[str, Any]:
        await post(app, '{"data": 1, "forward_to_model": false}')
        call = watch(app)
        await call.read_head()
        return find(await read_until(call, "state"), "state")

    assert run(use) == {
        "requests_per_second": 0,
        "p50_ms": None,  # nobody watched
        "p99_ms": None,
        "waiting": {"log": 0, "forward": 0},
        "circuit": "closed",
        "service_b": {"status": "healthy", "models": []},  # the stub lists none
        "log": {"logged": 1, "pending": 0, "predicted": 0, "rejected": 0, "unavailable": 0},
        "faults": {"service_a": [], "service_b": []},
    }


def test_nothing_is_made_while_nobody_watches(run: Run) -> None:
    async def use(app: FastAPI) -> int:
        await post(app, '{"data": {}}')
        call = watch(app)
        await call.read_head()
        await read_until(call, "state")
        await call.leave()
        await post(app, '{"data": {}}')
        call = watch(app)
        await call.read_head()
        return (await read_until(call, "state"))[0].number

    assert run(use) == 2


def test_one_too_many_is_refused_until_another_has_gone(run: Run) -> None:
    async def use(app: FastAPI) -> list[int]:
        calls = [watch(app) for _ in range(MAX_WATCHERS)]
        for call in calls:
            await call.read_head()
        refused = watch(app)
        status, headers = await refused.read_head()
        body = await refused.read()
        assert (headers["retry-after"], body) == ("5", '{"detail":"Too many are watching"}')
        await calls[0].leave()
        return [status, (await watch(app).read_head())[0]]

    assert run(use) == [503, 200]


def test_streams_end_when_the_service_stops(run: Run) -> None:
    async def use(app: FastAPI) -> None:
        call = watch(app)
        await call.read_head()
        for end in app.state.at_stop:
            end()
        await call.end()

    run(use)


@pytest.mark.parametrize("path", ["/lab", "/lab/index.html"])
def test_page_may_load_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    reply = client.get(path)

    assert reply.content == (PAGE / "index.html").read_bytes()
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.headers["Content-Security-Policy"] == "default-src 'self'"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert reply.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("name", ["nosuch.js", "..%2froutes%2flab.py", "%2e%2e", "a/b", ""])
def test_nothing_but_the_files_of_the_page_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/lab/{name}").status_code == 404


def test_page_is_open_and_its_events_need_a_key(start_gateway: StartGateway) -> None:
    guarded = start_gateway(GATEWAY_API_KEYS="k1")

    assert guarded.get("/lab").status_code == 200
    assert guarded.get("/lab/index.html").status_code == 200
    assert guarded.get("/lab/events.js").status_code == 200
    assert guarded.get("/lab/events").status_code == 401
    assert guarded.get("/lab/events%0A").status_code == 401


def test_page_of_another_site_cannot_take_a_place(client: TestClient) -> None:
    reply = client.get("/lab/events", headers={"Sec-Fetch-Site": "cross-site"})

    assert reply.status_code == 403


@pytest.mark.parametrize("keys", ["", "k1"])
def test_neither_page_nor_events_exist_when_they_are_switched_off(
    start_gateway: StartGateway, keys: str
) -> None:
    client = start_gateway(GATEWAY_LAB_PAGE="0", GATEWAY_API_KEYS=keys)
    app = cast(FastAPI, client.app)

    for path in ("/lab", "/lab/index.html", "/lab/main.js", "/lab/events"):
        reply = client.get(path, headers={"X-API-Key": keys})
        assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"}), path
    document = client.get("/openapi.json").json()
    assert "lab" not in [group["name"] for group in document["tags"]]
    assert "(lab)" not in document["info"]["description"]
    # Nothing is around what every call needs.
    assert type(app.middleware_stack) is RequestLine
