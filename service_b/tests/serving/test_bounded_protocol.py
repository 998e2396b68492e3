"""The limits of a connection, whichever parser reads its requests."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat

import pytest
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from predictor.serving import waits
from tests.serving.running_server import (
    WAIT_SECONDS,
    RunningServer,
    echo,
    read_all,
    split_answers,
    wait_until,
)

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSING_GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED_POST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LINES = b"X-1: a\r\n" * 8192
VALUE = b"a" * 65536
# The parts, of which the last is sent again and again; and the statuses that say why.
ENDLESS = {
    "fields": ([b"GET / HTTP/1.1\r\n", LINES], {431}),
    "value": ([b"GET / HTTP/1.1\r\nX: ", VALUE], {431}),
    "name": ([b"GET / HTTP/1.1\r\n", VALUE], {431}),
    "url": ([b"GET /", VALUE], {414, 431}),
    "trailers": ([CHUNKED_POST, b"2\r\n{}\r\n0\r\n", LINES], {400}),
    "trailer": ([CHUNKED_POST, b"2\r\n{}\r\n0\r\nX: ", VALUE], {400}),
    "chunk extension": ([CHUNKED_POST, b"2;", VALUE], {400}),
}
LONG = 16 * 1024 * 1024  # more than the system keeps of an answer that is not taken


def write_post(size: int, *fields: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: x", f"Content-Length: {size}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


class LateApp:
    """Echoes when it is released."""

    def __init__(self) -> None:
        self.called = 0
        self.released = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called += 1
        await asyncio.to_thread(self.released.wait, WAIT_SECONDS)
        await echo(scope, receive, send)


@pytest.fixture
def late_app() -> Iterator[LateApp]:
    app = LateApp()
    yield app
    app.released.set()


async def answer_at_once(_: Scope, __: Receive, send: Send) -> None:
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def read_until_late(scope: Scope, receive: Receive, send: Send) -> None:
    size = 0
    more = True
    while more and "late" not in scope["state"]:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await JSONResponse({"bytes": size, "late": more})(scope, receive, send)


async def answer_at_length(_: Scope, __: Receive, send: Send) -> None:
    headers = [(b"content-length", b"%d" % LONG)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for part in range(16):
        piece = b"a" * (LONG // 16)
        await send({"type": "http.response.body", "body": piece, "more_body": part < 15})


@pytest.mark.parametrize("what", ENDLESS)
def test_head_or_framing_without_end_is_refused(server: RunningServer, what: str) -> None:
    (*first, again), statuses = ENDLESS[what]

    (answer,) = server.send(*first, *repeat(again, 8))

    assert answer.status in statuses
    assert "over the limit" in answer.content["detail"]
    assert answer.headers["connection"] == "close"


def test_head_is_read_up_to_its_limits(server: RunningServer) -> None:
    fields = [b"X-%d: a\r\n" % number for number in range(98)]
    value = b"X: %b\r\n" % (b"a" * 60_000)

    answers = [
        server.send(CLOSING_GET[:-2] + b"".join(more) + b"\r\n")
        for more in (fields, [*fields, b"X-98: a\r\n"], [value], [value, value])
    ]

    assert [answer.status for (answer,) in answers] == [200, 431, 200, 431]


def test_head_that_is_too_long_is_refused_after_the_answers_to_those_before_it(
    server: RunningServer,
) -> None:
    first, last = server.send(GET + b"GET / HTTP/1.1\r\nX: " + VALUE * 2)

    assert (first.status, last.status) == (200, 431)


def test_body_that_is_not_valid_is_refused_after_the_answers_to_the_requests_before_it(
    server: RunningServer, late_app: LateApp
) -> None:
    server.use(late_app)
    with server.connect() as caller:
        caller.sendall(GET + CHUNKED_POST + b"2\r\n{}\r\nNONSENSE\r\n")
        wait_until(lambda: late_app.called)
        late_app.released.set()
        first, last = split_answers(read_all(caller))

    assert (first.status, last.status) == (200, 400)
    assert last.content == {"detail": "The request is not valid HTTP"}


@pytest.mark.usefixtures("quick_clock")
def test_head_that_comes_too_slowly_is_refused(server: RunningServer) -> None:
    server.use(head_seconds=0.05)
    with server.connect() as caller:
        caller.sendall(b"GET / HTTP/1.1\r\n")
        caller.settimeout(0.005)
        received = b""
        while not received:
            caller.sendall(b"X")  # to go on sending doesn't help
            try:
                received = caller.recv(65536)
            except TimeoutError:
                continue
        (answer,) = split_answers(received)

    assert answer.status == 408
    assert answer.content == {"detail": "The head of the request did not arrive in time"}


@pytest.mark.usefixtures("quick_clock")
@pytest.mark.parametrize("sent", [b"", b"x"])
def test_application_is_told_that_a_body_is_late(server: RunningServer, sent: bytes) -> None:
    server.use(read_until_late, body_seconds=0.02, head_seconds=0.02)
    with server.connect() as caller:
        caller.sendall(write_post(9) + sent)
        (answer,) = split_answers(read_all(caller))

    assert answer.content == {"bytes": len(sent), "late": True}


@pytest.mark.usefixtures("quick_clock")
def test_application_is_told_that_a_body_is_late_when_it_came_with_the_request_before(
    server: RunningServer,
) -> None:
    server.use(read_until_late, body_seconds=0.02, head_seconds=0.02)
    with server.connect() as caller:
        caller.sendall(write_post(2) + b"{}" + write_post(9) + b"x")
        answers = split_answers(read_all(caller))

    assert [answer.content["late"] for answer in answers] == [False, True]


@pytest.mark.usefixtures("quick_clock")
def test_body_is_not_late_while_its_request_waits_for_its_turn(
    server: RunningServer, late_app: LateApp
) -> None:
    server.use(late_app, body_seconds=0)
    with server.connect() as caller:
        caller.sendall(GET + write_post(2, "Connection: close") + b"{")
        wait_until(lambda: late_app.called)
        server.wait_for_checks()
        caller.sendall(b"}")
        late_app.released.set()
        _, answer = split_answers(read_all(caller))

    assert answer.content == {"path": "/", "bytes": 2, "whole": True}


@pytest.mark.usefixtures("quick_clock")
@pytest.mark.parametrize(
    ("sent", "answers"), [(b"", 0), (write_post(9) + b"x", 1)], ids=["silent", "half a body"]
)
def test_caller_that_sends_no_more_is_hung_up_on(
    server: RunningServer, sent: bytes, answers: int
) -> None:
    server.use(answer_at_once, head_seconds=0.02)

    assert [answer.status for answer in server.send(sent)] == [200] * answers


@pytest.mark.usefixtures("quick_clock")
def test_idle_caller_is_hung_up_on(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "KEEP_ALIVE_SECONDS", 0.02)
    server.use(head_seconds=30)

    assert len(server.send(GET)) == 1  # to its end


@pytest.mark.usefixtures("quick_clock")
def test_caller_that_was_refused_and_goes_on_sending_is_hung_up_on(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "LEAVE_SECONDS", 0.02)
    server.use()
    with server.connect() as caller:
        caller.sendall(b"NONSENSE\r\n\r\n")
        (answer,) = split_answers(read_all(caller))
        assert answer.status == 400

        server.check_nothing_is_left()  # the caller hasn't closed


@pytest.mark.usefixtures("quick_clock")
def test_caller_that_does_not_take_its_answer_is_hung_up_on(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "UNREAD_SECONDS", 0.02)
    server.use(answer_at_length)
    with server.connect() as caller:
        caller.sendall(GET)

        server.check_nothing_is_left()


def test_callers_that_do_not_take_their_answers_are_hung_up_on_when_all_keep_too_much(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "MAX_UNREAD_BYTES", 0)
    server.use(answer_at_length)
    with ExitStack() as slow:
        callers = [slow.enter_context(server.connect()) for _ in range(2)]
        callers[0].sendall(CLOSING_GET)
        wait_until(server.is_unread)
        callers[1].sendall(CLOSING_GET)
        wait_until(lambda: server.count() == 1)
        first, second = map(read_all, callers)

    assert len(first) < LONG
    assert len(split_answers(second)[0].body) == LONG


def test_caller_that_takes_its_answer_late_gets_all_of_it(server: RunningServer) -> None:
    server.use(answer_at_length)
    with server.connect() as caller:
        caller.sendall(CLOSING_GET)
        wait_until(server.is_unread)
        (answer,) = split_answers(read_all(caller))

    assert len(answer.body) == LONG


def test_idle_connections_make_room_for_a_caller(server: RunningServer) -> None:
    server.use(max_connections=4)
    with ExitStack() as idle:
        for number in range(12):
            caller = idle.enter_context(server.connect())
            if number % 2:
                caller.sendall(GET)
                assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")

        (answer,) = server.send(CLOSING_GET)

    assert answer.status == 200


def test_caller_beyond_the_most_connections_is_told_when_all_have_a_request_under_way(
    server: RunningServer,
) -> None:
    server.use(max_connections=2)
    with ExitStack() as busy:
        callers = [busy.enter_context(server.connect()) for _ in range(2)]
        for caller in callers:
            caller.sendall(write_post(9, "Expect: 100-continue", "Connection: close"))
            assert caller.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"

        (refused,) = server.send(GET)
        for caller in callers:
            caller.sendall(b"123456789")
        answers = [split_answers(read_all(caller)) for caller in callers]

    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert refused.content == {"detail": "Too many connections are open"}
    assert [answer.content["bytes"] for (answer,) in answers] == [9, 9]


@pytest.mark.parametrize("size", [4_000, 60_000, 200_000])
def test_bodies_under_way_have_a_common_bound(server: RunningServer, size: int) -> None:
    received = 0
    refused = False

    async def watch(scope: Scope, receive: Receive, send: Send) -> None:
        async def watched() -> Message:
            nonlocal received, refused
            message = await receive()
            received += len(message.get("body", b""))
            refused = refused or "over_budget" in scope["state"]
            return message

        await echo(scope, watched, send)

    server.use(watch, max_bytes=size * 3 // 2)
    request = write_post(size, "Connection: close") + b"a" * size
    with server.connect() as first, server.connect() as second:
        first.sendall(request[:-1])
        wait_until(lambda: received == size - 1)
        second.sendall(request[:-1])
        wait_until(lambda: refused)
        answers = []
        for caller in (first, second):
            caller.sendall(request[-1:])
            answers += split_answers(read_all(caller))

    assert [answer.content["whole"] for answer in answers] == [True, False]
    assert answers[0].content["bytes"] == size
    # What they took is given back.
    (answer,) = server.send(request)
    assert answer.content["whole"]


def test_body_that_began_last_gives_way_when_all_together_are_over_the_bound(
    server: RunningServer,
) -> None:
    received = 0

    async def watch(scope: Scope, receive: Receive, send: Send) -> None:
        async def watched() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        await echo(scope, watched, send)

    size = 400_000
    server.use(watch, max_bytes=size * 2)
    half = b"a" * (size // 2)
    with ExitStack() as senders:
        callers = [senders.enter_context(server.connect()) for _ in range(4)]
        for number, caller in enumerate(callers, 1):
            caller.sendall(write_post(size, "Connection: close") + half)
            wait_until(lambda: received >= number * len(half))  # noqa: B023
        answers = []
        for caller in callers:
            caller.sendall(half)
            answers += split_answers(read_all(caller))

    assert [answer.content["whole"] for answer in answers] == [True, True, True, False]
    assert [answer.content["bytes"] for answer in answers[:3]] == [size] * 3


def test_body_that_the_application_discards_takes_nothing_of_the_bound(
    server: RunningServer,
) -> None:
    async def discard(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["discarded"] = True
        await echo(scope, receive, send)

    server.use(discard, max_bytes=100_000)

    with server.connect() as caller:
        caller.sendall(write_post(1_000_000, "Expect: 100-continue", "Connection: close"))
        assert caller.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(b"a" * 1_000_000)
        (answer,) = split_answers(read_all(caller))

    assert answer.content == {"path": "/", "bytes": 1_000_000, "whole": True}


def test_head_is_refused_when_the_bound_leaves_no_room_for_it(server: RunningServer) -> None:
    server.use(max_bytes=1000)

    (answer,) = server.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 2000)

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.content == {"detail": "Too much is under way"}


@pytest.mark.parametrize("count", [40, 4000])
def test_requests_that_wait_for_their_turn_have_a_bound(
    server: RunningServer, late_app: LateApp, count: int
) -> None:
    server.use(late_app, max_bytes=1000)
    with server.connect() as caller:
        caller.sendall(GET)
        wait_until(lambda: late_app.called)
        caller.sendall(GET * count)
        wait_until(server.has_refused)
        late_app.released.set()
        *answers, last = split_answers(read_all(caller))

    assert late_app.called < count
    assert [answer.status for answer in answers] == [200] * late_app.called
    assert last.status == 503
    assert last.content == {"detail": "Too much is under way"}


@pytest.mark.parametrize("started", [False, True])
def test_application_is_told_that_a_body_comes_no_more_when_it_is_refused(
    server: RunningServer, started: bool
) -> None:
    received: list[str] = []

    async def wait_for_the_end(_: Scope, receive: Receive, send: Send) -> None:
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        while not received or received[-1] != "http.disconnect":
            received.append((await receive())["type"])

    server.use(wait_for_the_end)
    with server.connect() as caller:
        caller.sendall(CHUNKED_POST + b"2\r\n{}\r\n")
        begun = b""
        while started and not begun.endswith(b"\r\na\r\n"):
            begun += caller.recv(65536)
        wait_until(lambda: received)
        caller.sendall(b"NONSENSE\r\n")
        rest = read_all(caller)
        wait_until(lambda: received[-1] == "http.disconnect")

    # Within an answer there can't be another one.
    assert [answer.status for answer in split_answers(rest)] == ([] if started else [400])


def test_connections_are_closed_when_the_server_stops_and_answers_under_way_finished(
    server: RunningServer, late_app: LateApp
) -> None:
    server.use(late_app)
    with (
        server.connect() as silent,
        server.connect() as refused,
        server.connect() as busy,
    ):
        busy.sendall(GET)
        refused.sendall(b"NONSENSE\r\n\r\n")
        assert len(split_answers(read_all(refused))) == 1
        wait_until(lambda: late_app.called)

        server.shut_connections()
        assert read_all(silent) == b""
        late_app.released.set()
        (answer,) = split_answers(read_all(busy))
        assert answer.status == 200
        server.check_nothing_is_left()


def test_answer_under_way_is_finished_when_the_server_stops_with_a_refusal_to_come(
    server: RunningServer, late_app: LateApp
) -> None:
    server.use(late_app, max_bytes=20_000)
    with server.connect() as caller:
        caller.sendall(GET)
        wait_until(lambda: late_app.called)
        caller.sendall(GET * 1000)
        wait_until(server.has_refused)

        server.shut_connections()
        late_app.released.set()
        answer, *_ = split_answers(read_all(caller))

    assert answer.status == 200
