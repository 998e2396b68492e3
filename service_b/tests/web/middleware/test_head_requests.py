import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from predictor.web.middleware.head_requests import HeadRequests


async def read_text(_: Request) -> Response:
    return PlainTextResponse("text", headers={"X-Of": "text"})


async def take(_: Request) -> Response:
    return PlainTextResponse("taken")


async def stream(_: Request) -> Response:
    return StreamingResponse(iter([b"one", b"two"]))


ROUTES = [
    Route("/text", read_text, methods=["GET"]),
    Route("/stream", stream, methods=["GET"]),
    Route("/take", take, methods=["POST"]),
]


@pytest.fixture
def client() -> TestClient:
    for route in ROUTES:
        route.methods = (route.methods or set()) - {"HEAD"}  # as FastAPI declares them
    return TestClient(HeadRequests(Starlette(routes=ROUTES)))


@pytest.mark.parametrize("path", ["/text", "/stream", "/nothing"])
def test_head_has_status_and_headers_of_get_and_no_body(client: TestClient, path: str) -> None:
    get, head = client.get(path), client.head(path)

    assert (head.status_code, head.headers) == (get.status_code, get.headers)
    assert head.content == b""


def test_answer_to_head_ends_before_there_is_a_body() -> None:
    sent: list[str] = []
    sent_before_body: list[str] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sent_before_body.extend(sent)
        await send({"type": "http.response.body", "body": b"one", "more_body": True})

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_noting(message: Message) -> None:
            sent.append(message["type"])
            await send(message)

        await HeadRequests(app)(scope, receive, send_noting)

    assert TestClient(note).head("/").status_code == 200
    assert sent == sent_before_body == ["http.response.start", "http.response.body"]


def test_other_methods_are_as_they_were(client: TestClient) -> None:
    assert client.post("/take").text == "taken"
    assert client.head("/take").status_code == 405


def test_layers_around_see_the_route_and_the_method_that_was_sent() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = f"route of {scope['method']}"
        await PlainTextResponse("text")(scope, receive, send)

    seen: list[tuple[str, str]] = []

    async def remember(scope: Scope, receive: Receive, send: Send) -> None:
        await HeadRequests(app)(scope, receive, send)
        seen.append((scope["method"], scope["route"]))

    TestClient(remember).head("/text")

    assert seen == [("HEAD", "route of GET")]
