"""The gateway as a process of its own, over real sockets."""

import errno
import gc
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

import pytest
from fastapi import FastAPI
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from gateway.serving import server as server_module
from gateway.serving import stopping
from gateway.serving.server import serve
from gateway.settings import SERVICE_FOLDER, load_settings
from gateway.telemetry.log_lines import LineFormatter, LineHandler
from tests.log_file import read_inputs
from tests.serving.running_server import WAIT_SECONDS, RunningServer, wait_until


def launch(port: int, log_path: Path, **settings: str) -> subprocess.Popen[str]:
    """Run the gateway as a process, which isn't waited for."""
    settings |= {"PORT": str(port), "INPUT_LOG_URL": f"sqlite:///{log_path}"}
    return subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=SERVICE_FOLDER,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_heed_hangups,
    )


def _heed_hangups() -> None:
    """Undo `nohup`, which may have started the tests."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextmanager
def start(port: int, log_path: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """Run the gateway until the block ends; it listens when the block begins."""
    process = launch(port, log_path, **settings)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not is_listening(port):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module", params=["0", "1"], ids=["fast", "plain"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a gateway that several tests ask."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    log_path = tmp_path_factory.mktemp("log") / "inputs.db"
    settings = {"LAB_PLAIN": request.param, "GATEWAY_BODY_TIMEOUT_SECONDS": "0.5"}
    with start(port, log_path, **settings):
        yield port


def is_listening(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def read_all(caller: socket.socket) -> bytes:
    answer = b""
    while received := caller.recv(65536):
        answer += received
    return answer


@pytest.mark.parametrize(
    ("plain", "signal_number"),
    [("0", signal.SIGINT), ("1", signal.SIGHUP)],
    ids=["fast, Ctrl-C", "plain, closed terminal"],
)
def test_gateway_answers_and_ends_cleanly_when_it_is_told_to(
    free_port: int, log_path: Path, plain: str, signal_number: int
) -> None:
    with start(free_port, log_path, LAB_PLAIN=plain) as process:
        connection = HTTPConnection("127.0.0.1", free_port, timeout=WAIT_SECONDS)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Server"] is None
        answer.read()

        process.send_signal(signal_number)  # while the connection is open
        output, _ = process.communicate(timeout=WAIT_SECONDS)

        connection.close()
    assert process.returncode == 0
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} ", line) for line in output.splitlines())
    assert len([line for line in output.splitlines() if "GET / 200 " in line]) == 1


def log_inputs(ports: Sequence[int], ended: threading.Event) -> list[str]:
    """Log inputs until it is ended, over a connection that is kept as long as it may be.

    The next one is to the first port that is healthy, as behind a load balancer.
    """
    logged: list[str] = []
    caller = HTTPConnection("127.0.0.1", ports[0], timeout=WAIT_SECONDS)
    while not ended.is_set():
        request_id = f"r{len(logged)}"
        headers = {"Content-Type": "application/json", "X-Request-ID": request_id}
        caller.request("POST", "/process", b'{"data": 1, "forward_to_model": false}', headers)
        answer = caller.getresponse()
        assert answer.status == 200
        answer.read()
        logged.append(request_id)
        if answer.headers["Connection"] == "close":
            caller = HTTPConnection("127.0.0.1", find_healthy(ports), timeout=WAIT_SECONDS)
    caller.close()
    return logged


def find_healthy(ports: Sequence[int]) -> int:
    for port in ports:
        caller = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
        caller.request("GET", "/health")
        answer = caller.getresponse()
        content = answer.read()
        caller.close()
        if answer.status == 200:
            return port
        assert b'"status":"draining"' in content
    raise AssertionError("none is healthy")


def test_callers_that_keep_their_connections_lose_nothing_when_a_gateway_is_stopped(
    free_port: int, log_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        other_port = listener.getsockname()[1]
    ended = threading.Event()
    with (
        start(free_port, log_path, DRAIN_SECONDS="0.5") as first,
        start(other_port, log_path),
        ThreadPoolExecutor(4) as callers,
    ):
        logging = [callers.submit(log_inputs, [free_port, other_port], ended) for _ in range(4)]
        try:
            wait_until(lambda: len(read_inputs(log_path, settled=False)) > 20)
            first.terminate()
            assert first.wait(WAIT_SECONDS) == 0
        finally:
            ended.set()
        logged = sorted(request_id for each in logging for request_id in each.result())

    assert logged == sorted(row["request_id"] for row in read_inputs(log_path, settled=False))


@pytest.mark.parametrize("sent", [b"", b'{"data": '])
def test_caller_is_told_when_its_body_does_not_arrive_in_time(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS) as caller:
        caller.sendall(
            b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n" + sent
        )
        answer = read_all(caller)  # to its end: the connection is closed

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"detail":"The body did not arrive in time"}')


def test_next_request_of_a_connection_is_answered_after_a_bad_one(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    statuses = []
    for body in (b"{", b'{"data": 1, "forward_to_model": false}'):
        connection.request("POST", "/process", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()

    assert statuses == [422, 200]


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
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    port = free_port
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
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("PORT", str(free_port))
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
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    port = free_port
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


def test_taken_port_stops_the_start_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(SystemExit) as caught:
            serve(FastAPI(), load_settings(), FastAPI)

    assert caught.value.code == (
        f"Cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Set PORT to choose another."
    )


@pytest.mark.parametrize(
    "host",
    [
        "host.invalid",
        ":::",
        "x86_64-conda-linux-gnu",
        "127.0.0.1:8000",
        "[::1]",
        "*",
        "192.0.2.1",  # no machine has it
    ],
)
def test_unknown_host_stops_the_start_with_one_line(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("HOST", host)

    with pytest.raises(SystemExit) as caught:
        serve(FastAPI(), load_settings(), FastAPI)

    message = str(caught.value.code)
    assert message.startswith(f"Cannot listen on {host} port 8000: ")
    assert message.endswith(". Set HOST to choose another.")
    assert "Unknown error" not in message
    assert "\n" not in message


def test_all_networks_of_ipv6_are_those_of_ipv4_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "::")
    settings = load_settings().model_copy(update={"port": 0})

    with server_module._take_port(settings) as listener:
        listener.listen()
        socket.create_connection(("127.0.0.1", listener.getsockname()[1])).close()


def test_too_few_open_files_stop_the_start_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.serving.server.count_open_files", lambda: 127)

    with pytest.raises(SystemExit) as caught:
        serve(FastAPI(), load_settings(), FastAPI)

    assert caught.value.code == "Only 127 files may be open at a time (ulimit -n): 128 are needed."
