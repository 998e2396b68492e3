"""How the services start and stop, as processes."""

import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.running_lab import (
    INHERITED,
    ONLY_AMES,
    ROOT,
    STOP_SECONDS,
    WAIT_SECONDS,
    Lab,
    Service,
    wait_until,
)
from tests.stub_predictor import StubPredictor

SERVICES = ["service_a", "service_b"]
COMMANDS = [["main.py"], ["-m", "uvicorn", "main:app"]]
HALF_A_REQUEST = (
    b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Content-Length: 100\r\n\r\n{"data": '
)


def test_requests_under_way_are_finished_when_service_a_is_told_to_stop(
    tmp_path: Path, stub: StubPredictor
) -> None:
    settings = {"SERVICE_B_URL": f"{stub.url}/predict", "GATEWAY_FORWARD_TIMEOUT_SECONDS": "7"}
    lab = Lab(tmp_path, service_a=settings)
    lab.a.start()
    stub.released.clear()
    with ThreadPoolExecutor(5) as callers:
        try:
            answers = [
                callers.submit(
                    requests.post,
                    f"{lab.a.url}/process",
                    json={"data": number},
                    timeout=WAIT_SECONDS,
                )
                for number in range(5)
            ]
            wait_until(lambda: len(lab.read_inputs()) == 5 and stub.received)
            lab.a.signal(signal.SIGTERM)
            wait_until(lambda: "Shutting down" in lab.a.read_output())
            with pytest.raises(requests.ConnectionError):
                requests.get(lab.a.url, timeout=WAIT_SECONDS)
        finally:
            stub.released.set()

    assert [answer.result().status_code for answer in answers] == [200] * 5
    assert lab.a.process
    assert lab.a.process.wait(STOP_SECONDS) == 0
    assert [row["outcome"] for row in lab.read_inputs()] == ["predicted"] * 5


def test_services_stop_in_time_whatever_their_callers_do(
    tmp_path: Path, stub: StubPredictor
) -> None:
    stub.released.clear()
    forward = {"SERVICE_B_URL": f"{stub.url}/predict", "GATEWAY_FORWARD_TIMEOUT_SECONDS": "60"}
    services = []
    for name in SERVICES:
        for number, command in enumerate(COMMANDS):
            log = {"INPUT_LOG_URL": f"sqlite:///{tmp_path}/{number}.db", "LAB_FAULTS": "1"}
            # uvicorn's own command ends only when Service B has answered.
            more = forward if command == COMMANDS[0] else {}
            service = Service(name, tmp_path / f"{name}-{number}.log", log | more | ONLY_AMES)
            service.command[1:] = command if number == 0 else [*command, f"--port={service.port}"]
            services.append(service)
    with ThreadPoolExecutor(len(services)) as starters:
        list(starters.map(Service.start, services))
    callers = []
    for service in services:
        idle, half = (socket.create_connection(("127.0.0.1", service.port)) for _ in range(2))
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        if service.command[1:2] != ["-m"]:  # uvicorn's own command waits for a body without end
            half.sendall(HALF_A_REQUEST)
        callers += [idle, half]

    forwarding = socket.create_connection(("127.0.0.1", services[0].port))
    forwarding.sendall(HALF_A_REQUEST.replace(b" 100", b" 11") + b"1}")
    wait_until(lambda: stub.received)
    # These two have no end by themselves: the events, and a prediction that hangs on purpose.
    watching = socket.create_connection(("127.0.0.1", services[0].port))
    watching.sendall(b"GET /lab/events HTTP/1.1\r\nHost: x\r\n\r\n")
    assert watching.recv(15) == b"HTTP/1.1 200 OK"
    requests.put(f"{services[2].url}/faults/hang", json={"seconds": 300}, timeout=WAIT_SECONDS)
    hanging = socket.create_connection(("127.0.0.1", services[2].port))
    hanging.sendall(HALF_A_REQUEST.replace(b"/process", b"/predict").replace(b" 100", b" 9"))

    for service in services:
        service.signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    statuses = []
    for service in services:
        assert service.process
        statuses.append(service.process.wait(max(deadline - time.monotonic(), 0)))

    answer = forwarding.recv(65536)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 5\r\n" in answer
    assert answer.endswith(b'{"detail":"The service is stopping"}')
    assert read_to_end(watching).endswith(b"\r\n0\r\n\r\n")
    assert read_to_end(hanging).startswith(b"HTTP/1.1 422 ")
    for caller in (*callers, forwarding):
        caller.close()
    # uvicorn's own command ends by the signal itself.
    assert statuses == [0, -signal.SIGTERM] * 2
    for service in services:
        assert "Traceback" not in service.read_output()


def read_to_end(caller: socket.socket) -> bytes:
    with caller:
        return b"".join(iter(lambda: caller.recv(65536), b""))


def run_until_it_ends(name: str, *arguments: str, **settings: str) -> tuple[int, str, str]:
    inherited = {each: os.environ[each] for each in INHERITED if each in os.environ}
    done = subprocess.run(
        [ROOT / name / ".venv/bin/python", *arguments],
        cwd=ROOT / name,
        env={**inherited, **settings},
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_taken_port_is_told_in_one_line(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])

        status, stdout, stderr = run_until_it_ends(name, "main.py", PORT=port)

    assert (status, stdout) == (1, "")
    (line,) = stderr.splitlines()
    assert port in line
    assert "in use" in line


# What else is refused: `test_settings.py` of each service.
@pytest.mark.parametrize("command", COMMANDS, ids=["main.py", "uvicorn"])
@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [("service_a", "SERVICE_B_URL", "service_b:8001"), ("service_b", "PORT", "http")],
)
def test_bad_setting_is_told_in_one_line(
    name: str, command: list[str], variable: str, value: str
) -> None:
    status, stdout, stderr = run_until_it_ends(name, *command, **{variable: value})

    assert (status, stdout) == (1, "")
    (line,) = stderr.splitlines()
    assert line.startswith(f"{variable}: ")
    assert repr(value) in line
