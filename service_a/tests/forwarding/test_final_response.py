"""Interim responses before an answer, by http and https, by the plain adapter and the fast one."""

import time
from collections.abc import Iterator

import pytest

from gateway.errors import PredictorUnavailable
from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.exchanges import Exchanges
from gateway.forwarding.joined_sends import JoinedSendsAdapter
from gateway.forwarding.tls import make_tls_context
from tests.stub_server import CERTIFICATES, Behaviour, Exchange, StubServer, answer

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nContent-Length: 9\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
OTHERS = b"HTTP/1.1 199 Whatever\r\nX-Request-ID: another\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"


@pytest.fixture(params=[DeadlineAdapter, JoinedSendsAdapter])
def exchanges(
    request: pytest.FixtureRequest, stub_of_each_scheme: StubServer
) -> Iterator[Exchanges]:
    adapter = request.param(make_tls_context(CERTIFICATES / "ca.pem"))
    exchanges = Exchanges(stub_of_each_scheme.url, adapter, connect_timeout_seconds=5)
    yield exchanges
    exchanges.close()


def after(interim: bytes) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.connection.sendall(interim)
        answer(200, {"a": 1})(exchange)

    return behave


def post(exchanges: Exchanges, request_id: str) -> tuple[int, bytes]:
    return exchanges.post("/predict", b"{}", [request_id], "", time.monotonic() + 20)[:2]


@pytest.mark.parametrize("interim", [HINTS, CONTINUE + PROCESSING + OTHERS, 50 * HINTS])
def test_answer_is_taken_when_interim_responses_come_before_it(
    exchanges: Exchanges, stub_of_each_scheme: StubServer, interim: bytes
) -> None:
    stub_of_each_scheme.behave = after(interim)

    assert [post(exchanges, request_id) for request_id in "ab"] == 2 * [(200, b'{"a": 1}')]
    assert len({each.connection for each in stub_of_each_scheme.received}) == 1


def test_call_fails_when_interim_responses_do_not_end(
    exchanges: Exchanges, stub_of_each_scheme: StubServer
) -> None:
    stub_of_each_scheme.behave = after(1000 * CONTINUE)

    with pytest.raises(PredictorUnavailable, match="interim"):
        post(exchanges, "a")


def test_answer_that_switches_protocols_is_none_that_may_be_given(
    exchanges: Exchanges, stub_of_each_scheme: StubServer
) -> None:
    stub_of_each_scheme.behave = after(SWITCHING)

    assert post(exchanges, "a") == (101, b"")
