import asyncio
import socket
import struct
import threading

import pytest
from starlette.types import Receive, Scope, Send

from predictor.serving.httptools_protocol import BoundedHttpToolsProtocol
from tests.serving.running_server import WAIT_SECONDS, RunningServer, echo, wait_until

pytestmark = pytest.mark.parametrize("running_server", [BoundedHttpToolsProtocol], indirect=True)

SIZE = 50_000
POST = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % SIZE


def test_body_is_counted_as_long_as_the_application_has_it_though_its_caller_has_left(
    server: RunningServer,
) -> None:
    has_body, released = threading.Event(), threading.Event()
    received = 0

    async def keep_first_body(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal received
        if has_body.is_set():
            await echo(scope, receive, send)
            return
        while received < SIZE:
            received += len((await receive())["body"])
        has_body.set()
        await asyncio.to_thread(released.wait, WAIT_SECONDS)

    def send() -> bool:
        (answer,) = server.send(POST + b"a" * 1000, b"a" * (SIZE - 1000))
        whole: bool = answer.content["whole"]
        return whole

    server.use(keep_first_body, max_bytes=SIZE)
    with server.connect() as caller:
        caller.sendall(POST + b"a" * (SIZE - 1000))
        wait_until(lambda: received == SIZE - 1000)
        caller.sendall(b"a" * 1000)
        assert has_body.wait(WAIT_SECONDS)
        # To close resets the connection.
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(server.is_empty)

    assert not send()
    released.set()
    wait_until(send)


def test_head_with_a_long_url_is_refused_as_such(server: RunningServer) -> None:
    (answer,) = server.send(b"GET /" + b"a" * 100_000)

    assert answer.status == 414
    assert answer.content == {"detail": "The URL and the head are over the limit of 65536 bytes"}
