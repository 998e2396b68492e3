import asyncio
import os
import threading
from functools import partial

import pytest
from starlette.types import Receive, Scope, Send

from gateway.serving import stopping
from gateway.serving.http_protocol import HTTPProtocol
from gateway.serving.stopping import StoppingServer
from tests.serving.running_server import (
    WAIT_SECONDS,
    RunningServer,
    echo,
    read_all,
    split_answers,
)


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
        HTTPProtocol, partial(StoppingServer, at_stop=[lambda: done.append("at_stop")])
    )
    server.use(answer_late)
    with server.connect() as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert called.wait(WAIT_SECONDS)
        server.stop()
        (answer,) = split_answers(read_all(caller))
    server.wait_for_end()

    assert done == ["at_stop", "exit 0"]
    assert "ended with work under way" in caplog.messages
    assert answer.status == 200  # it goes on as long as the process does
