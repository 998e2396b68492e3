"""Two gateways behind one port, as processes of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

from gateway.settings import SERVICE_FOLDER
from tests.log_file import read_inputs
from tests.serving.running_server import WAIT_SECONDS, wait_until
from tests.serving.test_server import launch, start


def call(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
    caller = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    caller.request(method, path, body, {"Content-Type": "application/json"})
    answer = caller.getresponse()
    content = answer.read().decode()
    caller.close()
    return answer.status, content


def list_workers(supervisor: subprocess.Popen[str]) -> set[int]:
    """Return the processes that the supervisor has started to answer."""
    children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split()
    workers = set()
    for child in children:
        with suppress(FileNotFoundError):  # it has ended meanwhile
            if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
                workers.add(int(child))
    return workers


def test_workers_share_a_log_and_what_they_count_and_one_that_dies_is_replaced(
    free_port: int, log_path: Path, tmp_path: Path
) -> None:
    def log_input(_: int) -> int:
        body = b'{"data": 1, "forward_to_model": false}'
        return call(free_port, "POST", "/process", body)[0]

    def count_logged() -> float:
        found = re.search(
            r"^gateway_inputs_logged_total (\S+)$",
            call(free_port, "GET", "/metrics")[1],
            re.MULTILINE,
        )
        assert found
        return float(found[1])

    with (
        start(free_port, log_path, WORKERS="2", TMPDIR=str(tmp_path)) as supervisor,
        ThreadPoolExecutor(8) as callers,
    ):
        wait_until(lambda: len(list_workers(supervisor)) == 2)
        first, second = list_workers(supervisor)
        assert set(callers.map(log_input, range(40))) == {200}
        assert count_logged() == 40

        os.kill(first, signal.SIGKILL)
        assert log_input(40) == 200
        wait_until(lambda: len(list_workers(supervisor) - {first, second}) == 1)
        assert count_logged() == 41  # with those of the one that died
        assert call(free_port, "GET", "/health")[0] == 200

        supervisor.terminate()
        output, _ = supervisor.communicate(timeout=WAIT_SECONDS)

    assert supervisor.returncode == 0
    assert "Traceback" not in output
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} ", line) for line in output.splitlines())
    assert len(read_inputs(log_path, settled=False)) == 41
    assert list(tmp_path.glob("metrics-*")) == []


SUPERVISE = """
import socket, time
from functools import partial
from gateway.serving.workers import supervise
supervise(2, partial(time.sleep, 60), socket.create_server(("127.0.0.1", 0)))
"""


def test_ctrl_c_ends_workers_that_have_not_started_without_a_word() -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE],
        cwd=SERVICE_FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    try:
        wait_until(lambda: len(list_workers(supervisor)) == 2)

        os.killpg(supervisor.pid, signal.SIGINT)  # as a terminal does
        output, _ = supervisor.communicate(timeout=10)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(supervisor.pid, signal.SIGKILL)
        supervisor.communicate()

    assert (supervisor.returncode, output) == (0, "")


def test_port_that_is_taken_during_the_start_ends_all_workers(
    free_port: int, log_path: Path
) -> None:
    supervisor = launch(free_port, log_path, WORKERS="2")
    try:
        # By then the port is bound, and nobody listens yet.
        wait_until(lambda: list_workers(supervisor) or supervisor.poll() is not None)
        with socket.create_server(("127.0.0.1", free_port)):
            output, _ = supervisor.communicate(timeout=WAIT_SECONDS)
    finally:
        supervisor.kill()
        supervisor.communicate()

    line = (
        f"Cannot listen on 127.0.0.1 port {free_port}: Address already in use. "
        "Set PORT to choose another."
    )
    assert supervisor.returncode == 1
    assert line in output.splitlines()
    assert "Traceback" not in output
