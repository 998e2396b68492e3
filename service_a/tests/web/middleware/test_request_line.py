import asyncio
import re

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.telemetry.log_lines import configure_logging
from gateway.telemetry.metrics import Metrics
from gateway.web.middleware.request_line import RequestLine
from tests.telemetry.test_log_lines import parse_line


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    Request(scope).state.log_fields["outcome"] = "predicted"
    await Response(Request(scope).state.trace.request_id)(scope, receive, send)


async def fail(_: Scope, __: Receive, ___: Send) -> None:
    raise RuntimeError("postgresql://user:secret@host/db")


async def fail_halfway(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("late")


async def disconnect(_: Scope, __: Receive, ___: Send) -> None:
    raise ClientDisconnect


def start(app: ASGIApp, level: str = "INFO") -> TestClient:
    return TestClient(RequestLine(app, Metrics(), configure_logging(level)))


def read_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    lines = [parse_line(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line.get("logger", "gateway.request") == "gateway.request"]


@pytest.mark.parametrize("given", ["abc-123", "A.b_c:d", "x" * 128])
def test_callers_id_is_kept_when_it_is_sane(given: str) -> None:
    reply = start(answer).get("/", headers={"X-Request-ID": given})

    assert reply.headers["X-Request-ID"] == given
    assert reply.text == given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\tb", b"\xff", b'a"b', b"a=b"])
def test_new_id_is_made_when_the_callers_is_not_sane(given: bytes) -> None:
    reply = start(answer).get("/", headers={b"X-Request-ID": given})

    assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Request-ID"])


def test_ids_differ_when_callers_send_none() -> None:
    client = start(answer)

    assert len({client.get("/").headers["X-Request-ID"] for _ in range(10)}) == 10


def test_each_request_writes_one_line_with_what_its_route_added(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(answer).post("/process", headers={"X-Request-ID": "r1"})

    (line,) = read_lines(capsys)
    assert line["id"] == "r1"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/process", "200")
    assert line["outcome"] == "predicted"
    assert float(line["duration_ms"]) >= 0


def test_path_with_control_characters_stays_in_its_field(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(answer).get("/x%0A00:00:00.000%20level=INFO%20event=forged%1B[2J%22")

    (line,) = read_lines(capsys)
    assert line["path"] == '/x\n00:00:00.000 level=INFO event=forged\x1b[2J"'


@pytest.mark.parametrize("path", ["/health", "/faults"])
def test_call_that_is_made_again_and_again_is_logged_only_at_debug(
    capsys: pytest.CaptureFixture[str], path: str
) -> None:
    start(answer).get(path)
    assert read_lines(capsys) == []

    start(answer, "DEBUG").get(path)
    assert [line["path"] for line in read_lines(capsys)] == [path]


def test_caller_gets_a_bare_500_when_an_error_is_unexpected(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reply = start(fail).get("/", headers={"X-Request-ID": "r1"})

    assert (reply.status_code, reply.json()) == (500, {"detail": "Internal error"})
    assert reply.headers["X-Request-ID"] == "r1"
    error, line = read_lines(capsys)
    assert error["level"] == "ERROR"
    assert error["request_id"] == "r1"
    assert "RuntimeError: postgresql" in error["traceback"]
    assert line["status"] == "500"


def test_answer_is_not_begun_twice_when_an_error_comes_halfway(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(fail_halfway).get("/")

    assert [line.get("event") for line in read_lines(capsys)] == ["unexpected error", None]


def test_line_says_so_when_the_caller_went_away(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError, match="any response"):
        start(disconnect).get("/")

    (line,) = read_lines(capsys)
    assert line["disconnected"] == "true"


@pytest.mark.parametrize("begun", [False, True])
def test_caller_is_told_that_the_service_stops_unless_its_answer_has_begun(
    capsys: pytest.CaptureFixture[str], begun: bool
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
        app = RequestLine(wait, Metrics(), configure_logging("INFO"))
        scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        call = asyncio.create_task(app(scope, receive, send))
        await asyncio.sleep(0)
        call.cancel()
        await call

    asyncio.run(call_and_cancel())

    (line,) = read_lines(capsys)
    assert (line["stopped"], line["status"]) == ("true", "200" if begun else "503")
    assert [message["status"] for message in sent if "status" in message] == [int(line["status"])]
    if not begun:
        assert (b"retry-after", b"5") in sent[0]["headers"]
        assert sent[1]["body"] == b'{"detail":"The service is stopping"}'


@pytest.mark.parametrize("app", [answer, fail])
def test_answer_to_a_post_says_how_long_it_took(app: ASGIApp) -> None:
    client = start(app)

    assert re.fullmatch(r"total;dur=\d+\.\d\d", client.post("/").headers["Server-Timing"])
    assert "Server-Timing" not in client.get("/").headers
