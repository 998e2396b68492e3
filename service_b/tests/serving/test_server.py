"""The service as a process of its own, over real sockets."""

import errno
import gc
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from predictor.app import create_app
from predictor.command import main
from predictor.serving import server as server_module
from predictor.serving import stopping
from predictor.serving.server import serve
from predictor.settings import Settings, load_settings
from predictor.telemetry.log_lines import LineFormatter, LineHandler
from tests.service_process import (
    DEADLINE_SECONDS,
    MAIN,
    find_free_port,
    is_listening,
    request,
    start,
)
from tests.serving.running_server import WAIT_SECONDS, RunningServer


def write_head(*fields: bytes, length: int) -> bytes:
    lines = [b"POST /predict HTTP/1.1", b"Host: service", b"Content-Type: application/json"]
    return b"\r\n".join([*lines, *fields, b"Content-Length: %d" % length, b"", b""])


def open_post(port: int, *, length: int) -> socket.socket:
    """Begin a request, and return when the service waits for its body."""
    client = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS)
    client.sendall(write_head(b"Expect: 100-continue", length=length))
    assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    return client


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    client.close()
    return b"".join(parts)


@pytest.fixture
def tiny(write_version: Callable[..., Path], settings: Settings) -> dict[str, str]:
    """Settings to serve the tiny model."""
    write_version()
    return {"PREDICTOR_MODELS": str(settings.models)}


only_in_ci = pytest.mark.skipif(
    "CI" not in os.environ, reason="starts one more process: runs only in CI"
)


@pytest.mark.parametrize(
    ("command", "plain", "number"),
    [
        pytest.param(MAIN, "0", signal.SIGINT, id="main.py"),
        # Elsewhere, `tests/test_plain_twins.py` and `tests/test_system_lifecycle.py` end these two.
        pytest.param(MAIN, "1", signal.SIGINT, id="main.py plain", marks=only_in_ci),
        pytest.param(
            (sys.executable, "-m", "uvicorn", "main:app"),
            "0",
            signal.SIGTERM,
            id="uvicorn",
            marks=only_in_ci,
        ),
    ],
)
def test_service_predicts_until_a_signal_ends_it(
    tiny: dict[str, str],
    house: dict[str, Any],
    command: tuple[str, ...],
    plain: str,
    number: signal.Signals,
) -> None:
    port = find_free_port()
    options = () if command == MAIN else ("--port", str(port))
    with start(port, *command, *options, LAB_PLAIN=plain, **tiny) as service:
        answer, content = request(port, "POST", "/predict", json.dumps({"input": house}).encode())
        assert (answer.status, content["prediction"]["model"]) == (200, "tiny")
        service.signal(number)
        status, output = service.wait()
    if command == MAIN:
        assert status == 0
        assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} ", line) for line in output.splitlines())
    assert "POST /predict 200 " in output
    assert "Traceback" not in output


def test_sigterm_finishes_the_requests_under_way_and_ends_the_service_in_time(
    tiny: dict[str, str], house: dict[str, Any]
) -> None:
    port = find_free_port()
    body = json.dumps({"input": house}).encode()
    with start(port, *MAIN, PREDICTOR_BODY_TIMEOUT_SECONDS="60", **tiny) as service:
        with open_post(port, length=len(body)) as client, open_post(port, length=len(body)):
            service.signal(signal.SIGTERM)
            deadline = time.monotonic() + 50
            service.wait_for("Waiting for connections to close")
            assert not is_listening(port)
            client.sendall(body)
            assert read_all(client).startswith(b"HTTP/1.1 200 OK")
            # The second request never ends; the service does.
            status, _ = service.wait(deadline - time.monotonic())
        assert status == 0


def test_service_runs_on_without_a_model_when_the_model_is_refused(
    settings: Settings, write_version: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (write_version() / "model.joblib").write_bytes(b"other bytes")
    with TestClient(create_app(settings)) as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/health").status_code == 503
        assert client.post("/predict", json={"input": {}}).status_code == 503
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "level=ERROR" in line]
    assert 'event="model is not available" model=tiny reason=' in line
    assert "sha256 is" in line


def test_body_too_slow_is_408_and_the_sender_of_one_too_large_sees_the_413(
    server: RunningServer, settings: Settings, write_version: Callable[..., Path]
) -> None:
    write_version()
    app = create_app(settings.model_copy(update={"max_body_bytes": 100_000}))
    server.use(app, body_seconds=0.2)
    with TestClient(app):
        (slow,) = server.send(write_head(length=1000), b'{"input":')
        (large,) = server.send(write_head(b"Connection: close", length=1_000_000), b" " * 1_000_000)
    assert (slow.status, slow.content) == (408, {"detail": "The body did not arrive in time"})
    assert large.status == 413
    assert large.content == {"detail": "The body is over the limit of 100000 bytes"}


def test_bad_setting_stops_the_start_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "80a")
    with pytest.raises(SystemExit) as caught:
        main(arguments=[])
    assert caught.value.code == (
        "PORT: Input should be a valid integer, unable to parse string as an integer (was '80a')"
    )


def test_callers_that_come_together_get_their_first_answers_together(server: RunningServer) -> None:
    answered: list[str] = []
    begun, together = Event(), Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        together.wait(WAIT_SECONDS)  # meanwhile the server takes nobody in
        answered.append(scope["path"])
        await JSONResponse({})(scope, receive, send)

    server.use(answer)
    paths = [f"/{number}" for number in range(40)]
    with server.connect() as first, ExitStack() as stack:
        first.sendall(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
        assert begun.wait(WAIT_SECONDS)
        callers = [stack.enter_context(server.connect()) for _ in paths]
        for caller, path in zip(callers, paths, strict=True):
            requests = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" * 39
            last = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            caller.sendall((requests + last).encode())
        together.set()
        for caller in callers:
            read_all(caller)

    assert max(answered.index(path) for path in paths) < 3 * len(paths)


def serve_with(server_class: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve an application in this process, whose own things stay as they are."""
    monkeypatch.setattr(server_module, "_Server", server_class)
    monkeypatch.setattr(stopping, "_end", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    app = FastAPI()
    app.state.lines = LineHandler(sys.stdout, LineFormatter())
    app.state.at_stop = []
    app.state.draining = Event()
    app.state.settings = load_settings()
    serve(app, app.state.settings, lambda: app)


def test_caller_is_refused_until_the_application_has_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = find_free_port()
    monkeypatch.setenv("PORT", str(port))
    errors = []

    class EndingServer(server_module._Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            errors.append(call())
            await super().startup(sockets)
            errors.append(call())
            self.should_exit = True

    def call() -> int:
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", port))

    serve_with(EndingServer, monkeypatch)

    assert errors == [errno.ECONNREFUSED, 0]


def test_garbage_is_collected_once_the_service_has_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", str(find_free_port()))
    collects = []

    class EndingServer(server_module._Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            collects.append(gc.isenabled())
            await super().startup(sockets)
            collects.append(gc.isenabled())
            self.should_exit = True

    gc.disable()  # as `main.py` does
    try:
        serve_with(EndingServer, monkeypatch)
    finally:
        gc.enable()

    assert collects == [False, True]


def test_port_that_is_taken_during_the_start_stops_it_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = find_free_port()
    monkeypatch.setenv("PORT", str(port))

    class LateServer(server_module._Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            with socket.create_server(("127.0.0.1", port)):  # bound as well, and listens
                await super().startup(sockets)

    with pytest.raises(SystemExit) as caught:
        serve_with(LateServer, monkeypatch)

    assert caught.value.code == (
        f"Cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Set PORT to choose another."
    )


def test_taken_port_stops_the_start_with_one_line(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            serve(FastAPI(), settings.model_copy(update={"port": port}), FastAPI)
    assert caught.value.code == (
        f"Cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Set PORT to choose another."
    )


# The second is conda's, the third belongs to another machine.
@pytest.mark.parametrize("host", ["host.invalid", "x86_64-conda-linux-gnu", "192.0.2.1", "::g"])
def test_unknown_host_stops_the_start_with_one_line(settings: Settings, host: str) -> None:
    with pytest.raises(SystemExit) as caught:
        serve(FastAPI(), settings.model_copy(update={"host": host}), FastAPI)
    message = str(caught.value.code)
    assert message.startswith(f"Cannot listen on {host} port 8001: ")
    assert message.endswith(". Set HOST to choose another.")
    assert "Unknown error" not in message


def test_all_networks_of_ipv6_are_those_of_ipv4_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "::")
    settings = load_settings().model_copy(update={"port": 0})

    with server_module._take_port(settings) as listener:
        listener.listen()
        socket.create_connection(("127.0.0.1", listener.getsockname()[1])).close()


def test_too_few_open_files_stop_the_start_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictor.serving.server.count_open_files", lambda: 127)

    with pytest.raises(SystemExit) as caught:
        serve(FastAPI(), load_settings(), FastAPI)

    assert caught.value.code == "Only 127 files may be open at a time (ulimit -n): 128 are needed."
