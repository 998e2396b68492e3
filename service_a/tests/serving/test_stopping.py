import asyncio
import logging
import os
import threading
from functools import partial
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from gateway.serving import stopping
from gateway.serving.h11_protocol import BoundedH11Protocol
from gateway.serving.http_protocol import HTTPProtocol
from gateway.serving.stopping import StoppingServer
from tests.serving.running_server import (
    WAIT_SECONDS,
    RunningServer,
    echo,
    read_all,
    read_answer,
    split_answers,
    wait_until,
)


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now


def test_process_is_ended_after_what_is_to_be_done_first_when_a_request_stays_under_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    called, released = threading.Event(), threading.Event()
    done: list[str] = []

    async def answer_late(scope: Scope, receive: Receive, send: Send) -> None:
        called.set()
        await asyncio.to_thread(released.wait, WAIT_SECONDS)
        await echo(scope, receive, send)

    def fake_exit(status: int) -> None:
        done.append(f"exit {status}")
        released.set()

    monkeypatch.setattr(os, "_exit", fake_exit)
    monkeypatch.setattr(stopping, "_STOP_SECONDS", 0.05)
    monkeypatch.setattr(stopping, "_LINES_SECONDS", 0)
    server = RunningServer(
        HTTPProtocol,
        partial(
            StoppingServer,
            at_stop=[lambda: done.append("at_stop")],
            at_drain=lambda: done.append("at_drain"),
            drain_seconds=0,
        ),
    )
    server.use(answer_late)
    with server.connect() as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert called.wait(WAIT_SECONDS)
        server.stop()
        (answer,) = split_answers(read_all(caller))
    server.wait_for_end()

    assert done == ["at_drain", "at_stop", "exit 0"]
    assert "ended with work under way" in caplog.messages
    assert answer.status == 200  # it goes on as long as the process does


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_request_under_way_is_answered_when_ctrl_c_ends_the_drain(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stopping, "_end", lambda: None)  # this process goes on
    caplog.set_level(logging.INFO, "uvicorn.error")
    called, released, drains = threading.Event(), threading.Event(), threading.Event()

    async def answer_late(scope: Scope, receive: Receive, send: Send) -> None:
        called.set()
        await asyncio.to_thread(released.wait, WAIT_SECONDS)
        await echo(scope, receive, send)

    make_server = partial(StoppingServer, at_stop=[], at_drain=drains.set, drain_seconds=3600)
    server = RunningServer(HTTPProtocol, make_server)
    server.use(answer_late)
    with server.connect() as caller:
        caller.sendall(GET)
        assert called.wait(WAIT_SECONDS)
        server.interrupt()
        assert drains.wait(WAIT_SECONDS)
        server.interrupt()
        wait_until(
            lambda: "Waiting for connections to close. (CTRL+C to force quit)" in caplog.messages
        )
        released.set()
        (answer,) = split_answers(read_all(caller))
    server.wait_for_end()

    assert answer.status == 200


@pytest.mark.parametrize("protocol", [HTTPProtocol, BoundedH11Protocol])
def test_callers_are_answered_and_told_to_leave_until_the_drain_ends(
    protocol: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "_end", lambda: None)  # this process goes on
    draining = threading.Event()
    clock = FakeClock()
    server = RunningServer(
        protocol,
        partial(
            StoppingServer, at_stop=[], at_drain=draining.set, drain_seconds=5, clock=clock.read
        ),
    )
    with server.connect() as kept:
        kept.sendall(GET)
        assert "connection" not in read_answer(kept).headers

        server.stop()
        assert draining.wait(WAIT_SECONDS)

        kept.sendall(GET)
        answers = [*split_answers(read_all(kept)), *server.send(GET)]  # each to its end
        assert [answer.status for answer in answers] == [200, 200]
        assert {answer.headers["connection"] for answer in answers} == {"close"}

    clock.now += 5
    server.wait_for_end()
