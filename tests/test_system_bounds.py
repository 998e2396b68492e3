"""What the services' processes take, whatever callers do: memory, and open files. With each of the
two parsers.

What callers are answered is in each service's own tests of `serving`.
"""

import http.client
import json
import os
import re
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.running_lab import ONLY_AMES, WAIT_SECONDS, Service, wait_until

MIB = 1024 * 1024
OPEN_FILES = 256
MAX_CONNECTIONS = OPEN_FILES - 100
# As on Windows, where httptools isn't installed.
WITHOUT_HTTPTOOLS = """
import runpy, sys
sys.modules["httptools"] = None
sys.path.insert(0, "")
sys.argv = ["main.py"]
runpy.run_path("main.py", run_name="__main__")
"""
LIMITED = 'ulimit -n "$0" && exec "$@"'


class Subject(NamedTuple):
    service: Service
    post: str  # path of a call with a body
    body: bytes  # one that is answered with 200
    batch: str
    max_memory: int  # in MiB

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.service.port), timeout=WAIT_SECONDS)

    def send(self, *parts: bytes) -> bytes:
        """Send a request part by part, and return all that is answered until the end."""
        with self.connect() as caller:
            try:
                for part in parts:
                    caller.sendall(part)
            except ConnectionError:
                pass  # refused meanwhile
            return read_all(caller)

    def read_memory(self, key: str) -> int:
        """Return a figure of the process's memory in MiB."""
        assert self.service.process
        status = Path(f"/proc/{self.service.process.pid}/status").read_text()
        match = re.search(rf"^{key}:\s+(\d+) kB$", status, re.MULTILINE)
        assert match
        return int(match[1]) // 1024

    def write_head(self, *fields: str, method: str = "POST", path: str = "") -> bytes:
        lines = [f"{method} {path or self.post} HTTP/1.1", "Host: x"]
        return "\r\n".join([*lines, "Content-Type: application/json", *fields, "", ""]).encode()


def read_all(caller: socket.socket) -> bytes:
    parts = []
    try:
        while part := caller.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_detail(answer: bytes) -> str:
    detail: str = json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]
    return detail


def read_status(answer: bytes) -> int:
    return int(answer.split()[1])


HOUSE = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}


def make_subject(name: str, parser: str, folder: Path) -> Subject:
    settings = {
        "GATEWAY_HEAD_TIMEOUT_SECONDS": "0.5",
        "PREDICTOR_HEAD_TIMEOUT_SECONDS": "0.5",
        # Two dozen bodies of 3 MiB are late on a busy machine.
        "GATEWAY_BODY_TIMEOUT_SECONDS": "60",
        "PREDICTOR_BODY_TIMEOUT_SECONDS": "60",
        "INPUT_LOG_URL": f"sqlite:///{folder}/{parser}.db",
        **ONLY_AMES,
    }
    service = Service(name, folder / f"{name}-{parser}.log", settings)
    python, *arguments = service.command
    if parser == "h11":
        arguments = ["-c", WITHOUT_HTTPTOOLS]
    service.command[:] = ["sh", "-c", LIMITED, str(OPEN_FILES), python, *arguments]
    if name == "service_a":
        body = json.dumps({"data": HOUSE, "forward_to_model": False}).encode()
        return Subject(service, "/process", body, "/api/v1/price/predict/batch", 120)
    body = json.dumps({"input": HOUSE}).encode()
    return Subject(service, "/predict", body, "/predict/batch", 350)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Subject]]:
    folder = tmp_path_factory.mktemp("bounds")
    made = {
        f"{name}-{parser}": make_subject(name, parser, folder)
        for name in ("service_a", "service_b")
        for parser in ("httptools", "h11")
    }
    services = [subject.service for subject in made.values()]
    try:
        with ThreadPoolExecutor(len(services)) as starters:
            list(starters.map(Service.start, services))
        yield made
    finally:
        for service in services:
            if service.runs:
                service.kill()


@pytest.fixture(
    params=["service_a-httptools", "service_a-h11", "service_b-httptools", "service_b-h11"]
)
def subject(request: pytest.FixtureRequest, subjects: dict[str, Subject]) -> Subject:
    return subjects[request.param]


LINES = b"X-1: a\r\n" * 8192
VALUE = b"a" * 65536
CHUNKED = (  # JSON, or else the answer may come before the end that never comes
    b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
# What is sent first, and what is sent again and again.
ENDLESS = {
    "fields": ([b"GET / HTTP/1.1\r\n"], LINES),
    "value": ([b"GET / HTTP/1.1\r\nX: "], VALUE),
    "name": ([b"GET / HTTP/1.1\r\n"], VALUE),
    "url": ([b"GET /"], VALUE),
    "trailers": ([CHUNKED, b"2\r\n{}\r\n0\r\n"], LINES),
    "trailer": ([CHUNKED, b"2\r\n{}\r\n0\r\nX: "], VALUE),
    "chunk extension": ([CHUNKED, b"2;"], VALUE),
}


def test_heads_without_end_take_no_memory(subject: Subject) -> None:
    before = subject.read_memory("VmHWM")

    for first, again in ENDLESS.values():
        head = first[0].replace(b"%b", subject.post.encode())
        answer = subject.send(head, *first[1:], *repeat(again, 128))
        assert read_status(answer) in {400, 414, 431}

    assert subject.read_memory("VmHWM") - before < 4


def test_idle_connections_make_room_for_a_caller(subject: Subject) -> None:
    with ExitStack() as idle:
        for number in range(OPEN_FILES + 10):
            caller = idle.enter_context(subject.connect())
            if number % 2:
                caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                caller.recv(65536)

        answer = requests.get(f"{subject.service.url}/health", timeout=WAIT_SECONDS)

        assert answer.status_code == 200


def test_caller_beyond_the_most_connections_is_told_when_all_have_a_request_under_way(
    subject: Subject,
) -> None:
    with ExitStack() as busy:
        head = subject.write_head("Content-Length: 9", "Expect: 100-continue")
        for _ in range(MAX_CONNECTIONS):
            caller = busy.enter_context(subject.connect())
            caller.sendall(head)
            assert read_status(caller.recv(100)) == 100
        answer = subject.send()

    assert read_status(answer) == 503
    assert b"\r\nretry-after: 5\r\n" in answer
    assert read_detail(answer) == "Too many connections are open"


def test_bodies_under_way_have_a_common_bound(subject: Subject) -> None:
    size = 3 * MIB
    body = b"[" + b" " * (size - 2)
    head = subject.write_head(f"Content-Length: {size}", path=subject.batch)
    answers = []
    with ExitStack() as senders:
        callers = []
        for _ in range(24):
            # Its head is late if it's connected before the others have sent their bodies.
            callers.append(senders.enter_context(subject.connect()))
            callers[-1].sendall(head + body)  # all of it but the last byte
        # On a busy machine some of it may still be on its way, and find room when others are done.
        wait_until(lambda: len(select.select(callers, [], [], 0)[0]) >= 16)
        for caller in callers:
            caller.sendall(b"]")
            answers.append(http.client.HTTPResponse(caller))
            answers[-1].begin()
        details = [json.loads(answer.read())["detail"] for answer in answers]

    refused = [answer for answer in answers if answer.status == 503]
    assert 16 <= len(refused) < len(answers)
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
    assert details.count("Too much is under way") == len(refused)
    assert {answer.headers["X-Request-ID"] is None for answer in answers} == {False}
    assert subject.read_memory("VmHWM") < subject.max_memory
    # What they took is given back.
    answer = requests.post(
        subject.service.url + subject.batch,
        body + b"]",
        headers={"Content-Type": "application/json"},
        timeout=WAIT_SECONDS,
    )
    assert answer.status_code == 422


def test_requests_that_wait_for_their_turn_have_a_bound(subject: Subject) -> None:
    # Nobody reads the answers, so the first that is long keeps all the others waiting.
    flood = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 4000
    before = subject.read_memory("VmHWM")
    with ExitStack() as senders:
        for _ in range(20):
            caller = senders.enter_context(subject.connect())
            caller.settimeout(0.05)
            try:
                while True:
                    caller.sendall(flood)
            except (TimeoutError, ConnectionError):
                pass

        assert requests.get(subject.service.url, timeout=WAIT_SECONDS).status_code == 200
        assert subject.read_memory("VmHWM") - before < 40


def test_large_inputs_that_come_together_have_a_bound(
    subjects: dict[str, Subject], tmp_path: Path
) -> None:
    subject = make_subject("service_a", "httptools", tmp_path)
    service_b = subjects["service_b-httptools"].service
    subject.service.environment["SERVICE_B_URL"] = f"{service_b.url}/predict"
    # As Python has it, such a text takes more memory than one in ASCII.
    body = json.dumps({"data": "é" * 430_000}, ensure_ascii=False).encode()
    with ExitStack() as opened:
        subject.service.start()
        opened.callback(subject.service.kill)
        before = subject.read_memory("VmHWM")

        def send_all(_: int) -> set[int]:
            session = opened.enter_context(requests.Session())
            session.headers["Content-Type"] = "application/json"
            url = subject.service.url + subject.post
            calls = [session.post(url, data=body, timeout=WAIT_SECONDS) for _ in range(12)]
            return {answer.status_code for answer in calls}

        with ThreadPoolExecutor(8) as callers:
            statuses = set().union(*callers.map(send_all, range(8)))

        assert 422 in statuses  # it is no house
        assert statuses <= {422, 503}
        assert subject.read_memory("VmHWM") - before < 45


def test_pages_of_large_inputs_have_a_bound(tmp_path: Path) -> None:
    subject = make_subject("service_a", "httptools", tmp_path)
    large = {"data": "x" * 900_000, "forward_to_model": False}
    head = subject.write_head(method="GET", path="/inputs?limit=1000")
    with ExitStack() as opened:
        subject.service.start(path="/", status=200)
        opened.callback(subject.service.kill)
        before = subject.read_memory("VmHWM")
        for _ in range(20):
            url = subject.service.url + subject.post
            assert requests.post(url, json=large, timeout=WAIT_SECONDS).status_code == 200

        readers = [opened.enter_context(subject.connect()) for _ in range(8)]
        for reader in readers:
            reader.sendall(head)
        for reader in readers:
            assert read_status(reader.recv(100)) == 200  # and the rest isn't taken

        assert subject.read_memory("VmHWM") - before < 45


def test_service_goes_on_when_the_reader_of_its_log_lines_stops(tmp_path: Path) -> None:
    subject = make_subject("service_a", "httptools", tmp_path)
    os.mkfifo(subject.service.output)
    reading = os.open(subject.service.output, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reading, True)
    subject.service.start(path="/", status=200)
    path = "/" + "x" * 60_000
    for _ in range(90):  # 5 MiB of lines
        answer = subject.send(subject.write_head("Connection: close", method="GET", path=path))
        assert read_status(answer) == 404
    with open(reading, encoding="ascii") as lines:
        assert any('event="log lines were dropped" lines=' in line for line in lines)
        assert subject.service.stop() == 0
