"""What is read of each request, whichever parser reads it."""

import asyncio
import runpy
import socket
import sys

import pytest
from starlette.types import Receive, Scope, Send

from gateway.serving import http_protocol
from tests.serving.running_server import RunningServer, read_all, read_answer, split_answers

CHUNKED = "Transfer-Encoding: chunked"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def write_head(*fields: str, method: str = "POST", path: str = "/first") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


def test_h11_reads_requests_when_httptools_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = []
    for module in (sys.modules["httptools"], None):
        monkeypatch.setitem(sys.modules, "httptools", module)
        monkeypatch.delitem(sys.modules, "gateway.serving.httptools_protocol")
        names = runpy.run_path(http_protocol.__file__)
        chosen.append(names["HTTPProtocol"].__name__)

    assert chosen == ["BoundedHttpToolsProtocol", "BoundedH11Protocol"]


def test_requests_in_one_packet_are_answered_in_turn_and_a_bad_one_after_them(
    server: RunningServer,
) -> None:
    paths = [f"/{number}" for number in range(200)]
    requests = b"".join(write_head(method="GET", path=path) for path in paths)

    *answers, last = server.send(requests + b"NONSENSE\r\n\r\n")

    assert [answer.content["path"] for answer in answers] == paths
    assert last.status == 400
    assert last.content == {"detail": "The request is not valid HTTP"}
    assert last.headers["connection"] == "close"
    assert last.headers["x-request-id"]


# The parser gets a body of known length in slices of 64 KiB; what follows begins in any of them.
@pytest.mark.parametrize("size", [1, 4096, 65_536, 3 * 65_536, 3 * 65_536 + 1, 2_000_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_requests_after_a_large_body_in_the_same_write_are_answered_in_turn(
    server: RunningServer, framing: str, size: int
) -> None:
    body = b"a" * size
    request = write_head(f"Content-Length: {size}") + body
    if framing == "chunks":
        request = write_head(CHUNKED) + b"1\r\na\r\n%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    second = write_head("Content-Length: 5000", path="/second") + b"b" * 5000

    answers = server.send(request + second + request + LAST)

    size += framing == "chunks"
    assert [(answer.content["path"], answer.content["bytes"]) for answer in answers] == [
        ("/first", size),
        ("/second", 5000),
        ("/first", size),
        ("/last", 0),
    ]
    assert all(answer.content["whole"] for answer in answers)


@pytest.mark.parametrize("split", ["whole", "head and body", "bytes"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("offer", ["h2c", "websocket", "TLS/1.0", "HTTP/2.0, foo/1"])
def test_offer_to_upgrade_is_ignored(
    server: RunningServer, offer: str, framing: str, split: str
) -> None:
    body, length = b"0123456789", "Content-Length: 10"
    if framing == "chunks":
        body, length = b"4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n", CHUNKED
    upgrade = ["Connection: Upgrade, HTTP2-Settings", f"Upgrade: {offer}", "HTTP2-Settings: AAMA"]
    head = write_head(*upgrade, "Sec-WebSocket-Version: 13", length)
    match split:
        case "whole":
            parts = [head + body + LAST]
        case "head and body":
            parts = [head, body, LAST]
        case _:
            parts = [bytes([each]) for each in head + body + LAST]

    first, last = server.send(*parts)

    assert (first.status, first.content["bytes"]) == (200, 10)
    assert (last.status, last.content["path"]) == (200, "/last")


def test_body_of_a_request_that_offers_to_upgrade_is_never_a_request(
    server: RunningServer,
) -> None:
    inner = write_head(method="GET", path="/inner")
    offer = ["Connection: Upgrade", "Upgrade: h2c", f"Content-Length: {len(inner)}"]

    answers = server.send(write_head(*offer), inner, LAST)

    assert [answer.content["path"] for answer in answers] == ["/first", "/last"]
    assert answers[0].content["bytes"] == len(inner)


@pytest.mark.parametrize(
    "target", ["http://x/first", "HTTPS://user@x:1/first?a=1", "/first#part", "/first?a=1#part"]
)
def test_path_is_found_in_each_form_of_a_target(server: RunningServer, target: str) -> None:
    answers = server.send(write_head("Content-Length: 2", path=target) + b"{}" + LAST)

    assert [answer.content["path"] for answer in answers] == ["/first", "/last"]


@pytest.mark.parametrize(
    ("target", "path"),
    [("http://x", "/"), ("HTTPS://x:1?a=1", "/"), ("*", "*")],
)
@pytest.mark.parametrize("offer", [[], ["Connection: Upgrade", "Upgrade: h2c"]])
def test_host_alone_means_its_root_and_a_star_the_whole_server(
    server: RunningServer, target: str, path: str, offer: list[str]
) -> None:
    answers = server.send(write_head(*offer, method="OPTIONS", path=target) + LAST)

    assert [answer.content["path"] for answer in answers] == [path, "/last"]


@pytest.mark.parametrize("target", ["first", "?a=1", "http://", "http:///first", "http://?a=1"])
def test_target_without_a_path_is_refused(server: RunningServer, target: str) -> None:
    (answer,) = server.send(write_head(path=target))

    assert answer.status == 400


def test_tunnel_is_refused(server: RunningServer) -> None:
    async def refuse(_: Scope, __: Receive, send: Send) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 405, "headers": headers})
        await send({"type": "http.response.body"})

    server.use(refuse)
    (answer,) = server.send(b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer.status in {400, 405}  # by the parser, or by the application


def test_trailers_are_no_headers(server: RunningServer) -> None:
    seen: list[bytes] = []

    async def look_after_the_body(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        seen.extend(name for name, _ in scope["headers"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    server.use(look_after_the_body)
    with server.connect() as caller:
        trailers = b"2\r\n{}\r\n0\r\nX-Request-ID: forged\r\n\r\n"
        caller.sendall(write_head(CHUNKED, "Connection: close") + trailers)
        assert read_all(caller).startswith(b"HTTP/1.1 204 ")

    assert seen == [b"host", b"transfer-encoding", b"connection"]


def test_head_request_is_answered_without_a_body(server: RunningServer) -> None:
    with server.connect() as caller:
        caller.sendall(write_head(method="HEAD") + LAST)
        received = read_all(caller)

    head, _, rest = received.partition(b"\r\n\r\n")
    assert b"content-length: " in head
    (last,) = split_answers(rest)
    assert last.content["path"] == "/last"


@pytest.mark.parametrize("count", [1, 3, 300])
def test_caller_that_has_closed_its_sending_side_gets_its_answers(
    server: RunningServer, count: int
) -> None:
    async def answer_late(scope: Scope, _: Receive, send: Send) -> None:
        await asyncio.sleep(0.02 if scope["path"] == "/first" else 0)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    server.use(answer_late)
    others = write_head("Content-Length: 10", path="/other") + b"0123456789"
    with server.connect() as caller:
        caller.sendall(write_head(method="GET") + others * (count - 1))
        caller.shutdown(socket.SHUT_WR)
        received = read_all(caller)

    assert received.count(b"HTTP/1.1 204 ") == count


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n",
        write_head("Content-Length: 10") + b"01234",
        write_head(CHUNKED) + b"4\r\n01",
    ],
    ids=["nothing", "head", "body", "chunk"],
)
def test_caller_that_closes_its_sending_side_too_early_is_hung_up_on(
    server: RunningServer, sent: bytes
) -> None:
    with server.connect() as caller:
        caller.sendall(sent)
        caller.shutdown(socket.SHUT_WR)

        assert read_all(caller) == b""


def test_rest_of_a_body_that_nobody_waits_for_is_read_before_the_next_request(
    server: RunningServer,
) -> None:
    async def answer_at_once(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    server.use(answer_at_once)
    with server.connect() as caller:
        for _ in range(2):
            caller.sendall(write_head("Content-Length: 100000") + b"a")
            assert caller.recv(65536).startswith(b"HTTP/1.1 204 ")
            caller.sendall(b"a" * 99_999)
        caller.sendall(LAST)
        assert read_all(caller).count(b"HTTP/1.1 204 ") == 1


async def refuse(_: Scope, __: Receive, send: Send) -> None:
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize("framing", ["Content-Length: 500", CHUNKED])
def test_connection_is_closed_after_an_answer_in_place_of_a_100_continue(
    server: RunningServer, framing: str
) -> None:
    server.use(refuse)

    (answer,) = server.send(write_head("Expect: 100-continue", framing))

    assert answer.status == 404
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("sent", [b"a" * 10, b"a"], ids=["whole", "part"])
def test_connection_stays_when_the_body_came_with_the_question(
    server: RunningServer, sent: bytes
) -> None:
    server.use(refuse)
    with server.connect() as caller:
        caller.sendall(write_head("Expect: 100-continue", "Content-Length: 10") + sent)
        first = read_answer(caller)
        caller.sendall(b"a" * (10 - len(sent)) + LAST)
        (last,) = split_answers(read_all(caller))

    assert (first.status, last.status) == (404, 404)
    assert "connection" not in first.headers


def test_question_whether_to_send_the_body_is_ignored_in_http_1_0(server: RunningServer) -> None:
    head = write_head("Expect: 100-continue", "Content-Length: 2").replace(b"/1.1", b"/1.0")

    (answer,) = server.send(head + b"{}")

    assert (answer.status, answer.content["bytes"]) == (200, 2)
