"""What callers may do to the services, as processes: with heads, bodies and connections without
end, and as clients that few have. With each of the two parsers."""

import http.client
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.running_lab import WAIT_SECONDS, Service

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
        "INPUT_LOG_URL": f"sqlite:///{folder}/{parser}.db",
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


CHUNKED = "Transfer-Encoding: chunked"
LINES = b"X-1: a\r\n" * 8192
VALUE = b"a" * 65536
# The parts, of which the last is sent again and again; and the statuses that say why.
ENDLESS = {
    "fields": ([b"GET / HTTP/1.1\r\n", LINES], {431}),
    "value": ([b"GET / HTTP/1.1\r\nX: ", VALUE], {431}),
    "name": ([b"GET / HTTP/1.1\r\n", VALUE], {431}),
    "url": ([b"GET /", VALUE], {414, 431}),
    "trailers": ([b"2\r\n{}\r\n0\r\n", LINES], {400}),
    "trailer": ([b"2\r\n{}\r\n0\r\nX: ", VALUE], {400}),
    "chunk extension": ([b"2;", VALUE], {400}),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_head_without_end_is_refused_and_takes_no_memory(subject: Subject, what: str) -> None:
    (*first, again), statuses = ENDLESS[what]
    head = [] if b"HTTP/1.1" in first[0] or what == "url" else [subject.write_head(CHUNKED)]
    before = subject.read_memory("VmHWM")

    answer = subject.send(*head, *first, *repeat(again, 128))

    assert read_status(answer) in statuses
    assert "over the limit" in read_detail(answer)
    assert subject.read_memory("VmHWM") - before < 4


def test_head_is_read_up_to_its_limits(subject: Subject) -> None:
    fields = [f"X-{number}: a" for number in range(97)]
    close = "Connection: close"
    value = f"X: {'a' * 60_000}"

    answers = [
        subject.send(subject.write_head(close, *each, method="GET", path="/"))
        for each in (fields, [*fields, "X-97: a"], [value], [value, value])
    ]

    assert [read_status(answer) for answer in answers] == [200, 431, 200, 431]


def test_head_that_comes_too_slowly_is_refused_and_a_silent_caller_hung_up_on(
    subject: Subject,
) -> None:
    with subject.connect() as dripping, subject.connect() as silent, subject.connect() as late:
        began = time.monotonic()
        # Answered, but never sent to its end.
        late.sendall(subject.write_head("Content-Length: 9", method="GET", path="/") + b"x")
        dripping.settimeout(0.05)
        dripping.sendall(b"GET / HTTP/1.1\r\n")
        answer = b""
        while not answer:
            dripping.sendall(b"X")
            try:
                answer = dripping.recv(65536)
            except TimeoutError:
                assert time.monotonic() - began < WAIT_SECONDS

        assert read_status(answer) == 408
        assert read_detail(answer) == "The head of the request did not arrive in time"
        assert read_all(silent) == b""
        assert read_status(read_all(late)) == 200


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
        callers = [senders.enter_context(subject.connect()) for _ in range(24)]
        for caller in callers:
            caller.sendall(head + body)  # all of it but the last byte
        for caller in callers:
            caller.sendall(b"]")
            answers.append(http.client.HTTPResponse(caller))
            answers[-1].begin()
        details = [json.loads(answer.read())["detail"] for answer in answers]

    refused = [answer for answer in answers if answer.status == 503]
    assert len(refused) >= 16
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


def test_requests_in_one_packet_are_answered_in_turn_and_a_bad_one_after_them(
    subject: Subject,
) -> None:
    paths = [f"/nothing{number}" for number in range(500)]
    requests_ = b"".join(
        b"GET %b HTTP/1.1\r\nHost: x\r\nX-Request-ID: %b\r\n\r\n"
        % (path.encode(), path[1:].encode())
        for path in paths
    )

    answer = subject.send(requests_ + b"NONSENSE\r\n\r\n")

    ids = re.findall(rb"x-request-id: (nothing\d+)", answer)
    assert [f"/{each.decode()}" for each in ids] == paths
    last = answer[answer.rindex(b"HTTP/1.1 ") :]
    assert read_status(last) == 400
    assert read_detail(last) == "The request is not valid HTTP"


@pytest.mark.parametrize("split", ["whole", "head and body", "bytes"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("offer", ["h2c", "websocket", "TLS/1.0", "HTTP/2.0, foo/1"])
def test_offer_to_upgrade_is_ignored(
    subject: Subject, offer: str, framing: str, split: str
) -> None:
    body = subject.body
    length = f"Content-Length: {len(body)}"
    if framing == "chunks":
        length = CHUNKED
        body = b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:5], len(body) - 5, body[5:])
    upgrade = ["Connection: Upgrade, HTTP2-Settings", f"Upgrade: {offer}", "HTTP2-Settings: AAMA"]
    head = subject.write_head(*upgrade, "Sec-WebSocket-Version: 13", length)
    after = b"GET /after HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    match split:
        case "whole":
            parts = [head + body + after]
        case "head and body":
            parts = [head, body, after]
        case _:
            parts = [bytes([each]) for each in head + body + after]

    answer = subject.send(*parts)

    assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200", b"404"]


def test_body_of_a_request_that_offers_to_upgrade_is_never_a_request(subject: Subject) -> None:
    inner = b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
    offer = ["Connection: Upgrade", "Upgrade: h2c", f"Content-Length: {len(inner)}"]
    after = b"GET /after HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    answer = subject.send(subject.write_head(*offer), inner, after)

    assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"422", b"404"]


def test_trailers_are_no_headers(subject: Subject) -> None:
    size = b"%x" % len(subject.body)
    chunks = size + b"\r\n" + subject.body + b"\r\n0\r\nX-Request-ID: forged\r\n\r\n"

    answer = subject.send(subject.write_head(CHUNKED, "Connection: close") + chunks)

    assert read_status(answer) == 200
    assert b"forged" not in answer


def test_caller_that_has_closed_its_sending_side_gets_its_answer(subject: Subject) -> None:
    with subject.connect() as caller:
        caller.sendall(subject.write_head(f"Content-Length: {len(subject.body)}") + subject.body)
        caller.shutdown(socket.SHUT_WR)
        answer = read_all(caller)

    assert read_status(answer) == 200


def test_head_is_answered_wherever_get_is(subject: Subject) -> None:
    url = subject.service.url
    paths = requests.get(f"{url}/openapi.json", timeout=WAIT_SECONDS).json()["paths"]
    readable = [path for path, calls in paths.items() if "get" in calls and "{" not in path]
    assert {"/", "/health", "/metrics"} <= {*readable}
    for path in [*readable, "/docs", "/redoc", "/openapi.json", "/no/such/path"]:
        head, get = (
            requests.request(method, url + path, timeout=WAIT_SECONDS) for method in ("HEAD", "GET")
        )
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert pick_headers(head, path) == pick_headers(get, path)


def pick_headers(answer: requests.Response, path: str) -> dict[str, str]:
    """Return what is the same for each answer; a body without a length needs a framing."""
    own = {"date", "x-request-id", "transfer-encoding"}
    if path == "/metrics":
        own.add("content-length")
    return {name: value for name, value in answer.headers.items() if name.lower() not in own}


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
