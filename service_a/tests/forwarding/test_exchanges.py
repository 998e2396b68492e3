import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import PredictorTimeout
from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.exchanges import Exchanges
from gateway.forwarding.joined_sends import JoinedSendsAdapter
from tests.stub_server import StubServer


@pytest.fixture(params=[DeadlineAdapter, JoinedSendsAdapter])
def exchanges(request: pytest.FixtureRequest, stub: StubServer) -> Iterator[Exchanges]:
    exchanges = Exchanges(stub.url, request.param(), connect_timeout_seconds=1, api_key="k1")
    yield exchanges
    exchanges.close()


def post(exchanges: Exchanges, seconds: float = 20) -> int:
    return exchanges.post("/predict", b"{}", ["r1"], "trace", time.monotonic() + seconds)[0]


def test_request_has_the_headers_that_service_b_has_a_use_for(
    exchanges: Exchanges, stub: StubServer
) -> None:
    assert post(exchanges) == 200

    (request,) = stub.received
    assert request.headers["X-API-Key"] == "k1"
    assert request.headers["X-Request-ID"] == "r1"
    assert request.headers["traceparent"] == "trace"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Accept"] is None


def test_nothing_is_sent_when_the_deadline_has_passed(
    exchanges: Exchanges, stub: StubServer
) -> None:
    with pytest.raises(PredictorTimeout):
        post(exchanges, seconds=-1)

    assert stub.received == []


def test_connections_end_when_they_are_closed(exchanges: Exchanges, stub: StubServer) -> None:
    post(exchanges)

    exchanges.close()

    stub.wait_until_closed()


def test_proxies_and_passwords_of_the_environment_are_ignored(
    exchanges: Exchanges, stub: StubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    assert post(exchanges) == 200
    assert stub.received[0].headers["Authorization"] is None
