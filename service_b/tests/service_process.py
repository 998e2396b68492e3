"""The service as a process of its own, over real sockets."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from predictor.settings import SERVICE_FOLDER

MAIN = (sys.executable, "main.py")
DEADLINE_SECONDS = 300


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def make_environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings of the service, and with those given."""
    settings = {
        "HOST",
        "PORT",
        "ROOT_PATH",
        "WORKERS",
        "DRAIN_SECONDS",
        "LOG_LEVEL",
        "LOG_FORMAT",
        "LAB_PLAIN",
        "LAB_FAULTS",
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in settings and not name.startswith(("PREDICTOR_", "OTEL_"))
    }
    return kept | variables


class Service:
    """A process, and what it has written so far: it is read as it comes, and can be waited for."""

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.pid = self._process.pid
        self._lines: list[str] = []
        self._written = threading.Condition()
        self.ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def wait_for(self, text: str) -> None:
        """Wait until a line with the text is written."""
        with self._written:
            assert self._written.wait_for(
                lambda: self.ended or any(text in line for line in self._lines), DEADLINE_SECONDS
            ), self.output
            assert text in self.output, self.output

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_seconds: float = DEADLINE_SECONDS) -> tuple[int, str]:
        """Wait for the end; return the exit status and the output."""
        status = self._process.wait(timeout_seconds)
        self._reader.join()
        return status, self.output

    def kill(self) -> None:
        """End it with its workers, if it hasn't ended."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with self._written:
                    self._lines.append(line)
                    self._written.notify_all()
        with self._written:
            self.ended = True
            self._written.notify_all()


@contextmanager
def start(port: int, *command: str, **variables: str) -> Iterator[Service]:
    """Run the service until the block ends; it answers when the block begins."""
    environment = make_environment(PORT=str(port), **variables)
    with run(command, SERVICE_FOLDER, environment, "Application startup complete") as service:
        while not is_listening(port):  # a moment after it has said so
            assert not service.ended, service.output
            time.sleep(0.01)
        yield service


@contextmanager
def run(
    command: Sequence[str], folder: Path, environment: dict[str, str], ready: str
) -> Iterator[Service]:
    """Run a server until the block ends; the block begins when it has written what `ready` says."""
    service = Service(command, folder, environment)
    try:
        service.wait_for(ready)
        yield service
    finally:
        service.kill()


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def request(
    port: int, method: str, path: str, body: bytes | None = None
) -> tuple[HTTPResponse, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer, content
