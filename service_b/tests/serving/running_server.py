"""A real server in this process, which tests call over real sockets."""

import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from predictor.serving.limits import Limits
from predictor.serving.server import copy_listener

WAIT_SECONDS = 120


def wait_until(condition: Callable[[], object]) -> None:
    """Return when the condition is true, fail if that takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.001)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what came: the path, and how much of a body."""
    with suppress(ClientDisconnect):
        size = len(await Request(scope, receive).body())
        whole = not scope["state"].keys() & {"over_budget", "late"}
        content = {"path": scope["path"], "bytes": size, "whole": whole}
        await JSONResponse(content)(scope, receive, send)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


def split_answers(received: bytes) -> list[Answer]:
    """Split what was received on one connection; each answer must have a `Content-Length`."""
    answers = []
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        assert end, received
        status_line, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        status = int(status_line.split()[1])
        size = int(headers["content-length"]) if status != 100 else 0
        assert len(rest) >= size, received
        answers.append(Answer(status, headers, rest[:size]))
        received = rest[size:]
    return answers


def read_all(caller: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionResetError):
        while part := caller.recv(65536):
            parts.append(part)
    return b"".join(parts)


def read_answer(caller: socket.socket) -> Answer:
    """Read one answer, whose head and body may come in pieces, from a connection that stays."""
    received = b""
    while True:
        part = caller.recv(65536)
        assert part, received
        received += part
        head, end, body = received.partition(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head)
        if end and size and len(body) >= int(size[1]):
            (answer,) = split_answers(received)
            return answer


class RunningServer:
    """uvicorn's server with one of the protocols, in a thread that has its own event loop.

    Each test sets the application and the limits for the connections that it opens.
    """

    def __init__(
        self,
        protocol: type[Any],
        make_server: Callable[[uvicorn.Config], uvicorn.Server] = uvicorn.Server,
    ) -> None:
        self._protocol = protocol
        self.use()
        listener = socket.create_server(("127.0.0.1", 0))
        self._address = listener.getsockname()
        config = uvicorn.Config(
            self._answer,
            http=self._make_protocol,  # type: ignore[arg-type]
            ws="none",
            interface="asgi3",
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            server_header=False,
        )
        self._server = make_server(config)
        self._connections: set[Any] = self._server.server_state.connections
        listeners = copy_listener(listener)
        self._thread = threading.Thread(target=self._server.run, args=[listeners], daemon=True)
        self._thread.start()

    def use(
        self,
        app: ASGIApp = echo,
        *,
        max_connections: int = 100,
        head_seconds: float = WAIT_SECONDS,
        body_seconds: float = WAIT_SECONDS,
        max_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._limits = Limits(
            max_connections=max_connections,
            head_seconds=head_seconds,
            body_seconds=body_seconds,
            max_bytes=max_bytes,
        )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _make_protocol(self, **options: Any) -> Any:
        return self._protocol(self._limits, **options)

    def connect(self) -> socket.socket:
        return socket.create_connection(self._address, timeout=WAIT_SECONDS)

    def send(self, *parts: bytes) -> list[Answer]:
        """Send requests part by part, and return all that is answered until the end."""
        with self.connect() as caller:
            with suppress(ConnectionError):  # refused meanwhile
                for part in parts:
                    caller.sendall(part)
            return split_answers(read_all(caller))

    def check_nothing_is_left(self) -> None:
        """Wait until all callers have left; all that they took of the budget must be there."""
        tasks = self._server.server_state.tasks
        wait_until(lambda: self.is_empty() and not tasks)
        wait_until(lambda: self._limits.budget.take(self._max_bytes))
        self._limits.budget.give_back(self._max_bytes)

    def is_empty(self) -> bool:
        """Say whether all callers have left."""
        return not self._connections

    def count(self) -> int:
        """Count the callers that have not left."""
        return len(self._connections)

    def is_unread(self) -> bool:
        """Say whether a caller keeps an answer waiting."""
        return bool(self._limits.waits.unread)

    def has_refused(self) -> bool:
        """Say whether it reads no more of a connection, though it may not have said so yet."""
        return any(each._refused for each in list(self._connections))

    def wait_for_checks(self) -> None:
        """Wait until it has looked, from now on, who has waited too long."""
        waits = self._limits.waits
        for _ in range(2):
            timer = waits._timer
            wait_until(lambda: waits._timer is not timer)  # noqa: B023

    def shut_connections(self) -> None:
        """Do what the server does first when it stops."""
        for connection in list(self._connections):
            self._server.servers[0].get_loop().call_soon_threadsafe(connection.shutdown)

    def stop(self) -> None:
        self._server.should_exit = True

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self._server.handle_exit(signal.SIGINT, None)

    def wait_for_end(self) -> None:
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()
