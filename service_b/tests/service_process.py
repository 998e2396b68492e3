"""The service as a process of its own, over real sockets."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from predictor.settings import SERVICE_FOLDER

MAIN = (sys.executable, "main.py")
DEADLINE_SECONDS = 30


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def make_environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings of the service, and with those given."""
    settings = {"HOST", "PORT", "LOG_LEVEL", "LOG_FORMAT", "LAB_PLAIN"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in settings and not name.startswith("PREDICTOR_")
    }
    return kept | variables


@contextmanager
def start(port: int, *command: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run the service until the block ends; it listens when the block begins."""
    with start_in(SERVICE_FOLDER, port, *command, **variables) as process:
        yield process


@contextmanager
def start_in(
    folder: Path, port: int, *command: str, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a copy of the service in another folder."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=make_environment(PORT=str(port), **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_listening(port):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def stop(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal and return the exit status and the output."""
    process.send_signal(number)
    output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    return process.returncode, output


def request(
    port: int, method: str, path: str, body: bytes | None = None
) -> tuple[HTTPResponse, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer, content
