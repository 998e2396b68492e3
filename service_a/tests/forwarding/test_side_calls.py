import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import PredictorUnavailable
from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.side_calls import SideCalls
from tests.stub_server import StubServer, answer, drip


@pytest.fixture
def calls(stub: StubServer) -> Iterator[SideCalls]:
    calls = SideCalls(stub.url, DeadlineAdapter(), "k1")
    yield calls
    calls.close()


def test_call_has_its_method_its_path_its_body_and_the_key(
    calls: SideCalls, stub: StubServer
) -> None:
    stub.behave = answer(404, {"detail": "no"})

    assert calls.send("PUT", "/faults/x", b"{}") == (404, b'{"detail": "no"}')

    (received,) = stub.received
    assert received.line.startswith("PUT /faults/x ")
    assert received.body == b"{}"
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["X-API-Key"] == "k1"


@pytest.mark.parametrize("location", ["/elsewhere", "http://[::1", "/\xff"])
def test_redirect_is_not_followed(calls: SideCalls, stub: StubServer, location: str) -> None:
    stub.behave = answer(302, {}, f"Location: {location}")

    assert calls.send("PUT", "/faults", b"{}")[0] == 302
    assert len(stub.received) == 1


def test_answer_that_comes_in_drips_is_not_waited_for(calls: SideCalls, stub: StubServer) -> None:
    stub.behave = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x")
    began = time.monotonic()

    with pytest.raises(PredictorUnavailable):
        calls.send("PUT", "/faults", b"{}")

    assert time.monotonic() - began < 60  # the answer would take far longer


def test_proxies_and_passwords_of_the_environment_are_ignored(
    calls: SideCalls, stub: StubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    assert calls.send("GET", "/health")[0] == 200
    assert stub.received[0].headers["Authorization"] is None


def test_redirect_that_never_ends_is_refused_once_it_is_too_long(
    calls: SideCalls, stub: StubServer
) -> None:
    stub.behave = drip(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n", bytes(2**20))

    with pytest.raises(PredictorUnavailable, match="answer over"):
        calls.send("GET", "/health")


def test_huge_answer_is_refused(calls: SideCalls, stub: StubServer) -> None:
    stub.behave = answer(200, bytes(2**21))

    with pytest.raises(PredictorUnavailable, match="answer over"):
        calls.send("PUT", "/faults", b"{}")
