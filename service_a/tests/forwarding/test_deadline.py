import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests

from gateway.forwarding.deadline import DeadlineAdapter, keep_deadline
from gateway.forwarding.joined_sends import JoinedSendsAdapter
from gateway.forwarding.tls import make_tls_context
from tests.stub_server import CERTIFICATES, Behaviour, Exchange, StubServer, answer, drip, hang

DRIPPING_HEAD = drip(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n")
DRIPPING_BODY = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x")
DRIPPING_CHUNKS = drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")
DRIPPING_100S = drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.fixture(params=[DeadlineAdapter, JoinedSendsAdapter])
def session(request: pytest.FixtureRequest) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        adapter = request.param(make_tls_context(CERTIFICATES / "ca.pem"))
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter)
        yield session


@pytest.fixture
def stub(stub_of_each_scheme: StubServer) -> StubServer:
    return stub_of_each_scheme


def exchange(session: requests.Session, url: str, seconds: float, body: bytes = b"x") -> bytes:
    with keep_deadline(time.monotonic() + seconds):
        # A limit of its own for each read, so long that only the deadline can end the exchange.
        return session.post(url, data=body, timeout=30).content


@pytest.mark.parametrize(
    "behaviour",
    [hang, DRIPPING_HEAD, DRIPPING_BODY, DRIPPING_CHUNKS, DRIPPING_100S],
    ids=["hang", "head", "body", "chunks", "100 Continue"],
)
def test_exchange_ends_at_the_deadline_when_the_server_drags_it_out(
    session: requests.Session, stub: StubServer, behaviour: Behaviour
) -> None:
    stub.behave = behaviour
    started = time.monotonic()

    with pytest.raises((requests.Timeout, requests.ConnectionError)):
        exchange(session, stub.url, 0.3)

    assert 0.3 <= time.monotonic() - started < 60


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_exchange_ends_at_the_deadline_when_the_server_does_not_read(
    session: requests.Session, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # connects, and never accepts
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()

        with pytest.raises((requests.Timeout, requests.ConnectionError)):
            exchange(session, url, 0.3, bytes(2**25))

    assert 0.3 <= time.monotonic() - started < 60


def test_exchange_ends_at_the_deadline_when_the_server_drags_the_handshake_out(
    session: requests.Session,
) -> None:
    ended = threading.Event()

    def drip_record(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")
            while not ended.wait(0.02):
                connection.sendall(b"\x00")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=drip_record, args=[listener])
        server.start()
        started = time.monotonic()

        with pytest.raises((requests.Timeout, requests.ConnectionError)):
            exchange(session, f"https://127.0.0.1:{listener.getsockname()[1]}", 0.3)

        assert 0.3 <= time.monotonic() - started < 60
        ended.set()
        server.join()


def test_answer_arrives_when_the_server_does_not_read_the_whole_body(
    session: requests.Session,
) -> None:
    answered = threading.Event()

    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            connection.shutdown(socket.SHUT_RDWR)
            answered.wait(0.5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=refuse, args=[listener])
        server.start()
        with keep_deadline(time.monotonic() + 20):
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            status = session.post(url, data=bytes(2**25), timeout=30).status_code
        answered.set()
        server.join()

    assert status == 413


def test_answer_arrives_when_it_is_slow_but_in_time(
    session: requests.Session, stub: StubServer
) -> None:
    stub.behave = drip_slowly_to_the_end

    assert exchange(session, stub.url, 20) == b"slow"


def drip_slowly_to_the_end(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    for byte in b"slow":
        exchange.server.released.wait(0.02)
        exchange.wfile.write(bytes([byte]))


def test_each_exchange_has_a_deadline_of_its_own_when_it_reuses_a_connection(
    session: requests.Session, stub: StubServer
) -> None:
    stub.behave = answer(200, b"ok")
    deadline_of_first = time.monotonic() + 0.2
    with keep_deadline(deadline_of_first):
        session.post(stub.url, data=b"x", timeout=30)
    threading.Event().wait(deadline_of_first - time.monotonic())

    assert exchange(session, stub.url, 20) == b"ok"

    assert len(stub.received) == 2
    assert len({request.connection for request in stub.received}) == 1


def test_deadline_of_one_thread_is_not_that_of_another(
    session: requests.Session, stub: StubServer
) -> None:
    answers: list[bytes] = []

    def answer_when_released(exchange: Exchange) -> None:
        exchange.server.released.wait()
        answer(200, b"ok")(exchange)

    stub.behave = answer_when_released
    patient = threading.Thread(target=lambda: answers.append(exchange(session, stub.url, 20)))
    patient.start()
    with pytest.raises(requests.RequestException):
        exchange(session, stub.url, 0.3)
    stub.released.set()
    patient.join()

    assert answers == [b"ok"]


def test_exchange_ends_at_the_deadline_when_the_resolver_hangs(
    session: requests.Session, stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    asked = []

    def hang_for_names(host: str, *arguments: Any, **options: Any) -> list[Any]:
        if host == "hanging.example":
            if options.get("flags"):
                raise socket.gaierror("not an address")
            asked.append(host)
            released.wait(60)
        return look_up(host, *arguments, **options)

    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", hang_for_names)
    url = stub.url.replace("localhost", "hanging.example").replace("127.0.0.1", "hanging.example")
    started = time.monotonic()
    try:
        for _ in range(2):
            with pytest.raises((requests.Timeout, requests.ConnectionError)):
                exchange(session, url, 0.2)

        assert 0.4 <= time.monotonic() - started < 60
        assert asked == ["hanging.example"]  # what hangs isn't asked again and again
    finally:
        released.set()


def test_exchange_is_made_with_the_first_address_that_answers(
    session: requests.Session, stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.behave = answer(200, {})
    look_up = socket.getaddrinfo

    def find_two(host: str, *arguments: Any, **options: Any) -> list[Any]:
        if host != "localhost":
            return look_up(host, *arguments, **options)
        if options.get("flags"):
            raise socket.gaierror("not an address")
        return [found for each in ("127.0.0.2", "127.0.0.1") for found in look_up(each, None)]

    monkeypatch.setattr(socket, "getaddrinfo", find_two)

    with keep_deadline(time.monotonic() + 5):
        assert session.post(stub.url.replace("127.0.0.1", "localhost")).json() == {}
