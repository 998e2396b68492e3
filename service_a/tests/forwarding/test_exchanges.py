import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.errors import PredictorTimeout
from gateway.forwarding import name_lookup
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


class Copies(NamedTuple):
    """Copies of Service B at one port of several addresses, which a name leads to."""

    stubs: Sequence[StubServer]
    named: list[str]  # addresses that the name has
    port: int

    def count_calls(self) -> list[int]:
        """Return how many calls each has had since it was last asked."""
        counts = [len(stub.received) for stub in self.stubs]
        for stub in self.stubs:
            stub.received.clear()
        return counts


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Copies]:
    with ExitStack() as running:
        first = running.enter_context(closing(StubServer()))
        port = first.server_address[1]
        hosts = [f"127.0.0.{number}" for number in (1, 2, 3)]
        others = [
            running.enter_context(closing(StubServer(host=host, port=port))) for host in hosts[1:]
        ]
        copies = Copies([first, *others], hosts, port)
        ask = name_lookup._ask

        def fake_ask(host: str, flags: int = 0) -> list[str]:
            return (
                copies.named.copy() if host == "service-b.test" and not flags else ask(host, flags)
            )

        monkeypatch.setattr(name_lookup, "_ask", fake_ask)
        yield copies


def connect(
    adapter_class: type[DeadlineAdapter], copies: Copies, lifetime_seconds: float
) -> closing[Exchanges]:
    adapter = adapter_class(max_connections=2, lifetime_seconds=lifetime_seconds)
    url = f"http://service-b.test:{copies.port}"
    return closing(Exchanges(url, adapter, connect_timeout_seconds=1))


@pytest.mark.parametrize("adapter_class", [DeadlineAdapter, JoinedSendsAdapter])
def test_each_copy_gets_its_share_when_there_are_more_and_fewer_of_them(
    adapter_class: type[DeadlineAdapter], copies: Copies
) -> None:
    hosts = copies.named.copy()
    with connect(adapter_class, copies, lifetime_seconds=1e-9) as exchanges:
        for named, expected in (
            (hosts[:1], [9, 0, 0]),
            (hosts, [3, 3, 3]),
            (hosts[1:2], [0, 9, 0]),
        ):
            copies.named[:] = named
            assert {post(exchanges) for _ in range(9)} == {200}
            assert copies.count_calls() == expected


@pytest.mark.parametrize("adapter_class", [DeadlineAdapter, JoinedSendsAdapter])
def test_no_call_fails_when_a_copy_is_gone_that_the_name_still_has(
    adapter_class: type[DeadlineAdapter], copies: Copies
) -> None:
    with connect(adapter_class, copies, lifetime_seconds=1e-9) as exchanges:
        copies.stubs[1].close()

        assert {post(exchanges) for _ in range(9)} == {200}
        assert copies.count_calls()[1] == 0


@pytest.mark.parametrize("adapter_class", [DeadlineAdapter, JoinedSendsAdapter])
def test_one_connection_is_used_again_until_its_lifetime_ends(
    adapter_class: type[DeadlineAdapter], copies: Copies
) -> None:
    with connect(adapter_class, copies, lifetime_seconds=3600) as exchanges:
        for _ in range(6):
            post(exchanges)

    received = [request for stub in copies.stubs for request in stub.received]
    assert len(received) == 6
    assert len({request.connection for request in received}) == 1
