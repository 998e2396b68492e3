from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from gateway.errors import BodyTimeout, GatewayError, WrongContentType
from gateway.serving.direct_routes import DirectRoutes

router = APIRouter()


class NoSuchErrorYet(GatewayError):
    """An error that has no handler."""


class SlowBody(BodyTimeout):
    """An error whose base has a handler."""


RAISED = {
    "late": SlowBody,
    "gone": ClientDisconnect,
    "new": NoSuchErrorYet,
    "broken": KeyError,
}


@router.post("/hot")
async def answer_hot(request: Request) -> Response:
    wanted = (await request.body()).decode()
    if wanted in RAISED:
        raise RAISED[wanted]
    return Response(f"{request.scope['route'].path} got {wanted}")


@router.post("/hot/{name}")
async def answer_by_name(name: str) -> str:
    return name


async def answer_late(_: Request, __: Exception) -> Response:
    return Response("late", status_code=408)


async def answer_wrongly(_: Request, __: Exception) -> Response:
    raise AssertionError("is another error's")


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Any]] = {
    WrongContentType: answer_wrongly,
    BodyTimeout: answer_late,
}


@pytest.fixture(params=["plain", "fast"])
def client(request: pytest.FixtureRequest) -> TestClient:
    """The framework's own routing, then the direct routes before it."""
    app = FastAPI(exception_handlers=HANDLERS)
    app.include_router(router)
    return TestClient(
        app if request.param == "plain" else DirectRoutes(app, router.routes, HANDLERS)
    )


def test_endpoint_is_called_with_its_request(client: TestClient) -> None:
    assert client.post("/hot", content="this").text == "/hot got this"


def test_other_methods_and_paths_are_answered_by_the_framework(client: TestClient) -> None:
    assert client.get("/hot").status_code == 405
    assert client.options("/hot").headers["Allow"] == "POST"
    assert client.post("/hot/", follow_redirects=False).status_code == 307
    assert client.post("/cold").status_code == 404


def test_name_in_the_path_is_read(client: TestClient) -> None:
    for name in ("this", "{name}"):
        assert client.post(f"/hot/{name}").json() == name


def test_error_is_answered_by_the_handler_of_its_nearest_base(client: TestClient) -> None:
    answer = client.post("/hot", content="late")
    assert (answer.status_code, answer.text) == (408, "late")


@pytest.mark.parametrize("wanted", ["gone", "new", "broken"])
def test_error_goes_on_when_it_has_no_handler(client: TestClient, wanted: str) -> None:
    with pytest.raises(RAISED[wanted]):
        client.post("/hot", content=wanted)


def test_hot_call_does_not_go_through_the_framework() -> None:
    async def fail(_: Scope, __: Receive, ___: Send) -> None:
        raise AssertionError("was called")

    client = TestClient(DirectRoutes(fail, router.routes, HANDLERS))

    assert client.post("/hot", content="late").text == "late"
