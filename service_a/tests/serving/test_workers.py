"""Two gateways behind one port, as processes of their own."""

import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

from tests.log_file import read_inputs
from tests.serving.running_server import WAIT_SECONDS, wait_until
from tests.serving.test_server import start


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
