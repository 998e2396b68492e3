import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from predictor.web.middleware.allowed_methods import AllowedMethods


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("no", 405, {"Allow": "TRACE"})(scope, receive, send)


def answer() -> str:
    return "text"


@pytest.fixture(params=["", "/root"])
def client(request: pytest.FixtureRequest) -> TestClient:
    first, second = APIRouter(), APIRouter()
    first.add_api_route("/items", answer, methods=["GET"])
    first.add_api_route("/items/one", answer, methods=["POST"])
    second.add_api_route("/items", answer, methods=["DELETE"])
    second.add_api_route("/items/{name}", answer, methods=["PUT"])
    app = FastAPI()
    app.include_router(first)
    app.include_router(second)
    app.mount("/mounted", refuse)
    named = AllowedMethods(app, app.router.routes)
    return TestClient(named, f"http://testserver{request.param}", root_path=request.param)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/items", "GET, HEAD, DELETE"),
        ("/items/one", "POST, PUT"),
        ("/items/two", "PUT"),
        ("/mounted", "TRACE"),
    ],
)
def test_methods_of_all_routes_of_a_path_are_named(
    client: TestClient, path: str, allowed: str
) -> None:
    reply = client.patch(path)

    assert (reply.status_code, reply.headers["Allow"]) == (405, allowed)


def test_other_answers_name_no_methods(client: TestClient) -> None:
    for reply in (client.get("/items"), client.get("/nothing")):
        assert "Allow" not in reply.headers
