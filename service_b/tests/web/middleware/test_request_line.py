import asyncio
import logging
import re
from collections.abc import Iterator
from io import StringIO

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from predictor.telemetry.log_lines import LineFormatter, LineHandler
from predictor.telemetry.metrics import Metrics
from predictor.web.middleware.request_line import RequestLine


@pytest.fixture
def lines() -> Iterator[LineHandler]:
    """Writes the lines that are written while a test runs."""
    logger = logging.getLogger("predictor.request")
    handler = LineHandler(StringIO(), LineFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def log(lines: LineHandler) -> StringIO:
    """The lines that are written while a test runs."""
    assert isinstance(lines.stream, StringIO)
    return lines.stream


@pytest.fixture
def metrics() -> Metrics:
    return Metrics([])


@pytest.fixture
def app(lines: LineHandler, metrics: Metrics) -> FastAPI:
    """A service with a route for each way in which a request can go."""
    app = FastAPI()
    app.add_middleware(RequestLine, metrics=metrics, lines=lines)

    @app.get("/fields")
    async def add_fields(request: Request) -> str:
        request.state.log_fields["model"] = "tiny"
        return str(request.state.trace.request_id)

    @app.get("/health")
    async def read_health(healthy: bool = True) -> StreamingResponse:
        return StreamingResponse(iter(()), 200 if healthy else 503)

    @app.get("/models")
    async def list_models() -> list[str]:
        return []

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("the secret\nof the house")

    @app.get("/fail-late")
    async def fail_late() -> StreamingResponse:
        def stream() -> Iterator[bytes]:
            yield b"begun"
            raise RuntimeError("the secret")

        return StreamingResponse(stream())

    @app.get("/leave")
    async def leave() -> None:
        raise ClientDisconnect

    return app


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


def test_request_writes_one_line_with_what_its_route_adds(
    client: TestClient, log: StringIO
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-ID": "abc", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    client.get("/fields?secret=1", headers=headers)
    (line,) = log.getvalue().splitlines()
    assert re.fullmatch(
        r"[\d:]{8}\.\d{3} GET /fields 200 [\d.]+ms model=tiny id=abc trace=1c80319c", line
    )
    assert "secret" not in line


@pytest.mark.parametrize("sane", ["a", "2f1c-4.7:9_Z", "x" * 128, "one,two"])
def test_sane_id_of_the_caller_is_kept(client: TestClient, sane: str) -> None:
    answer = client.get("/fields", headers={"X-Request-ID": sane})
    assert answer.headers.get_list("X-Request-ID") == [sane]
    assert answer.json() == sane


@pytest.mark.parametrize("odd", ["", "a b", "x" * 16385, 'a"b', "a=b", "é", "<b>", "a\\nb"])
def test_odd_id_of_the_caller_is_replaced(client: TestClient, odd: str) -> None:
    answer = client.get("/fields", headers=[(b"X-Request-ID", odd.encode())])
    assert len(answer.headers["X-Request-ID"]) == 32
    assert answer.json() == answer.headers["X-Request-ID"]


def test_requests_without_an_id_get_different_ones(client: TestClient) -> None:
    ids = {client.get("/fields").headers["X-Request-ID"] for _ in range(10)}
    assert len(ids) == 10


def test_unknown_path_is_answered_with_an_id_and_can_not_forge_a_line(
    client: TestClient, log: StringIO
) -> None:
    answer = client.get("/no%0Atime=forged%20status=200")
    assert answer.status_code == 404
    assert "X-Request-ID" in answer.headers
    (line,) = log.getvalue().splitlines()
    assert r'GET "/no\ntime=forged status=200" 404 ' in line


def test_unexpected_error_is_logged_and_told_to_nobody(
    client: TestClient, log: StringIO, metrics: Metrics
) -> None:
    answer = client.get("/fail", headers={"X-Request-ID": "abc"})
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal error"})
    assert answer.headers["X-Request-ID"] == "abc"
    error, request = log.getvalue().splitlines()
    assert 'level=ERROR event="unexpected error" request_id=abc' in error
    assert r"RuntimeError: the secret\nof the house" in error
    assert " 500 " in request
    assert b'predictor_errors_total{kind="internal"} 1.0' in metrics.write()


def test_answer_that_fails_halfway_is_logged(client: TestClient, log: StringIO) -> None:
    assert client.get("/fail-late").text == "begun"
    error, request = log.getvalue().splitlines()
    assert "RuntimeError: the secret" in error
    assert "GET /fail-late 200 " in request


def test_caller_who_leaves_is_no_error(app: FastAPI, log: StringIO) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/leave",
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(app(scope, receive, send))
    (line,) = log.getvalue().splitlines()
    assert "GET /leave 0 " in line
    assert " disconnected=true id=" in line
    assert sent == []


def test_probe_is_logged_only_when_it_fails(client: TestClient, log: StringIO) -> None:
    client.get("/health")
    client.get("/models")  # asked every second while somebody watches
    assert log.getvalue() == ""
    client.get("/health?healthy=false")
    (line,) = log.getvalue().splitlines()
    assert "GET /health 503 " in line


def test_probe_is_logged_at_debug_level(client: TestClient, log: StringIO) -> None:
    logging.getLogger("predictor.request").setLevel(logging.DEBUG)
    client.get("/health")
    (line,) = log.getvalue().splitlines()
    assert "GET /health 200 " in line


@pytest.mark.parametrize("begun", [False, True])
def test_caller_is_told_that_the_service_stops_unless_its_answer_has_begun(
    metrics: Metrics, lines: LineHandler, log: StringIO, begun: bool
) -> None:
    sent: list[Message] = []

    async def wait(_: Scope, __: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def call_and_cancel() -> None:
        scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        call = asyncio.create_task(RequestLine(wait, metrics, lines)(scope, receive, send))
        await asyncio.sleep(0)
        call.cancel()
        await call

    asyncio.run(call_and_cancel())

    status = 200 if begun else 503
    (line,) = log.getvalue().splitlines()
    assert f"GET / {status} " in line
    assert " stopped=true id=" in line
    assert [message["status"] for message in sent if "status" in message] == [status]
    if not begun:
        assert (b"retry-after", b"5") in sent[0]["headers"]
        assert sent[1]["body"] == b'{"detail":"The service is stopping"}'
