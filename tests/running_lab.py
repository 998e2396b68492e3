"""Both services as real processes, on free ports, with an input log of their own."""

import http.client
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import requests

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 60  # the services cut off what would take over 10; a busy machine takes longer
WAIT_SECONDS = 300  # however busy the machine is
ONLY_AMES = {"PREDICTOR_MODELS": str(ROOT / "tests/ames.yaml")}
INHERITED = ("PATH", "HOME", "LAB_ENV_FILE")


def find_free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(condition: Callable[[], object]) -> None:
    """Return when the condition is true, fail if that takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


class Service:
    """One service, run by its own venv's Python in its own folder, its output in a file."""

    def __init__(self, folder: str, output: Path, environment: dict[str, str]) -> None:
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = output
        self._folder = ROOT / folder
        self.command: list[str | Path] = [self._folder / ".venv/bin/python", "main.py"]
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, path: str = "/health", status: int = 200) -> None:
        """Start, and wait until `path` answers with `status`."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self._folder,
                env={**inherited, "PORT": str(self.port), **self.environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + WAIT_SECONDS
        while self._ask(path) != status:
            assert self.process.poll() is None, f"ended while it started:\n{self.read_output()}"
            assert time.monotonic() < deadline, f"not up in time:\n{self.read_output()}"
            time.sleep(0.1)

    def _ask(self, path: str) -> int | None:
        try:
            return requests.get(self.url + path, timeout=5).status_code
        except (requests.RequestException, http.client.HTTPException):
            return None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask the service to end and return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not stop in time:\n{self.read_output()}") from None

    def kill(self) -> None:
        """End the service without a chance to tidy up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def read_request_line(self, request_id: str) -> str:
        """Wait for the log line of a request, alone or in a batch, and return it."""
        shown = request_id if len(request_id) <= 20 else request_id[-8:]
        pattern = re.compile(rf"\bid=\S*(?<![^=,\"]){re.escape(shown)}(?![^\s,\"+])")
        lines: list[str] = []

        def find() -> list[str]:
            lines[:] = [line for line in self.read_output().splitlines() if pattern.search(line)]
            return lines

        wait_until(find)  # it is written after the answer
        assert len(lines) == 1, lines
        return lines[0]

    def read_output(self) -> str:
        return self.output.read_text(errors="replace") if self.output.exists() else ""


class Lab:
    """Service B, and Service A that forwards to it."""

    def __init__(
        self,
        folder: Path,
        *,
        service_a: dict[str, str] | None = None,
        service_b: dict[str, str] | None = None,
        root: Path = ROOT,
    ) -> None:
        self.input_log = folder / "inputs.db"
        self.b = Service(str(root / "service_b"), folder / "service_b.log", service_b or {})
        self.a = Service(
            str(root / "service_a"),
            folder / "service_a.log",
            {
                "SERVICE_B_URL": f"{self.b.url}/predict",
                "INPUT_LOG_URL": f"sqlite:///{self.input_log}",
                **(service_a or {}),
            },
        )

    def start(self) -> None:
        self.b.start()
        self.a.start()

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Both services, up and healthy; whoever reads of a failure sees their output."""
        try:
            self.start()
            yield self
        finally:
            self.print_output()
            self.stop()

    def revive(self) -> None:
        """Start what doesn't run."""
        for service in (self.b, self.a):
            if not service.runs:
                service.start()

    def read_inputs(self) -> list[dict[str, Any]]:
        """What the log's file holds, oldest first, with the outcome of all that was answered."""
        if self.a.runs:
            # An answer doesn't wait for its outcome to be logged, but reading the log does.
            requests.get(f"{self.a.url}/inputs", params={"limit": 1}, timeout=WAIT_SECONDS)
        with closing(sqlite3.connect(self.input_log)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM inputs ORDER BY id")]

    def print_output(self) -> None:
        """For the reader of a failure: pytest shows what is printed only then."""
        for service in (self.a, self.b):
            print(f"---- {service.output.name}\n{service.read_output()[-10_000:]}")  # noqa: T201

    def stop(self) -> None:
        """Stop what still runs; a service that doesn't end cleanly is an error."""
        statuses = [service.stop() for service in (self.a, self.b) if service.runs]
        assert all(status == 0 for status in statuses), f"exit statuses {statuses}"
