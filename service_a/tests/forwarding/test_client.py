import fcntl
import gzip
import json
import termios
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors import (
    GatewayError,
    InputFailed,
    InputRejected,
    ModelUnknown,
    PredictorTimeout,
    PredictorUnavailable,
)
from gateway.forwarding.calls import Calls
from gateway.forwarding.circuit_breaker import CircuitBreaker
from gateway.forwarding.client import PredictorClient
from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.exchanges import Exchanges
from gateway.forwarding.joined_sends import JoinedSendsAdapter
from gateway.forwarding.predict_protocol import PredictProtocol
from gateway.forwarding.retries import Retries, RetryBudget
from gateway.forwarding.tls import make_tls_context
from gateway.intake.entries import Answer, Forward
from gateway.telemetry.events import Watchers
from tests.stub_server import (
    CERTIFICATES,
    PREDICTION,
    REJECTION,
    Behaviour,
    Exchange,
    StubServer,
    answer,
    drip,
    hang,
    reset,
    send_and_close,
    write_answer,
)
from tests.stub_server import predict as predict_as_service_b


def make_client(url: str, exchanges: Exchanges | None = None) -> PredictorClient:
    """Retries have tests of their own: here each call is made once, whatever came of others."""
    breaker = CircuitBreaker(failures_to_open=100, window_seconds=5)
    retries = Retries(breaker, RetryBudget(share=0, window_seconds=30))
    exchanges = exchanges or Exchanges(url, DeadlineAdapter(), connect_timeout_seconds=1)
    return PredictorClient(exchanges, breaker, retries, Calls(Watchers()), PredictProtocol())


@pytest.fixture
def stub(stub_of_each_scheme: StubServer) -> StubServer:
    return stub_of_each_scheme


@pytest.fixture(params=[DeadlineAdapter, JoinedSendsAdapter])
def exchanges(request: pytest.FixtureRequest, stub: StubServer) -> Iterator[Exchanges]:
    tls = make_tls_context(CERTIFICATES / "ca.pem")
    exchanges = Exchanges(stub.url, request.param(tls), connect_timeout_seconds=1)
    yield exchanges
    exchanges.close()


@pytest.fixture
def client(exchanges: Exchanges, stub: StubServer) -> PredictorClient:
    return make_client(stub.url, exchanges)


def predict(
    client: PredictorClient, *forwards: Forward, seconds: float = 20
) -> list[Answer | GatewayError]:
    return client.predict(forwards, time.monotonic() + seconds)


def make_forward(data: bytes = b"{}", request_id: str = "r1") -> Forward:
    return Forward(data, request_id)


def make_forwards(count: int) -> list[Forward]:
    return [make_forward(b"%d" % number, f"r{number}") for number in range(count)]


def price(value: object) -> dict[str, Any]:
    return {"prediction": {"price": value, "model_version": "1"}, "message": "m"}


def answer_batch(*results: object) -> Behaviour:
    return answer(200, {"results": results})


def reject(loc: list[str | int]) -> dict[str, Any]:
    return {"detail": [{"type": "t", "loc": loc, "msg": "m"}]}


# One input


def test_input_is_sent_as_it_is_with_its_request_id(
    client: PredictorClient, stub: StubServer
) -> None:
    predict(client, make_forward(b'{"a": 1.10}', "abc"))

    (request,) = stub.received
    assert request.line == "POST /predict HTTP/1.1\r\n"
    assert request.body == b'{"input":{"a": 1.10}}'
    assert request.headers["X-Request-ID"] == "abc"
    assert request.headers["Content-Type"] == "application/json"


def test_answer_is_passed_on_byte_for_byte(client: PredictorClient, stub: StubServer) -> None:
    body = b'{"prediction": {"price": 1.10, "x": [1e2], "model_version": "7"},  "message": "m"}'
    stub.behave = answer(200, body)

    assert predict(client, make_forward()) == [Answer(body, 1.1, "7")]


def test_compressed_answer_is_read(client: PredictorClient, stub: StubServer) -> None:
    body = json.dumps(PREDICTION).encode()
    stub.behave = answer(200, gzip.compress(body), "Content-Encoding: gzip")

    (result,) = predict(client, make_forward())

    assert isinstance(result, Answer)
    assert result.body == body


HEAD = b"HTTP/1.1 200 OK\r\n"

# What can go wrong in a call, and a part of what the log says of it.
FAILURES: dict[str, tuple[Behaviour, str]] = {
    "500": (answer(500, {"detail": "Internal error"}), "status 500"),
    "redirect": (answer(302, PREDICTION, "Location: http://127.0.0.1:9/predict"), "status 302"),
    "redirect to itself": (answer(307, b"", "Location: /predict"), "status 307"),
    "redirect to no host": (answer(302, b"", "Location: http://["), "status 302"),
    "redirect in no alphabet": (answer(302, b"", "Location: \xff\xfe"), "status 302"),
    "HTML": (answer(200, b"<html>It works!</html>", "Content-Type: text/html"), "not JSON"),
    "huge": (answer(200, b" " * 9_000_000), "the answer is too large"),
    "huge when unpacked": (
        answer(200, gzip.compress(b" " * 50_000_000), "Content-Encoding: gzip"),
        "the answer is too large",
    ),
    "broken gzip": (answer(200, b"no gzip", "Content-Encoding: gzip"), "DecodeError"),
    "cut off": (send_and_close(HEAD + b"Content-Length: 100\r\n\r\n{"), "IncompleteRead"),
    "two lengths": (send_and_close(HEAD + b"Content-Length: 1, 2\r\n\r\n{"), "InvalidHeader"),
    "bad chunk": (
        send_and_close(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "ProtocolError",
    ),
    "no HTTP": (send_and_close(b"220 smtp.example.org ESMTP\r\n"), "ConnectionError"),
    "endless line": (send_and_close(b"HTTP/1.1 200 " + b"x" * 70_000), "ConnectionError"),
    "many headers": (send_and_close(HEAD + b"X: 1\r\n" * 1000), "ConnectionError"),
    "closed": (send_and_close(b""), "ConnectionError"),
    "reset": (reset, "ConnectionError"),
}


@pytest.mark.parametrize(("behaviour", "reason"), FAILURES.values(), ids=FAILURES.keys())
def test_predictor_is_unavailable_when_its_answer_is_unusable(
    client: PredictorClient, stub: StubServer, behaviour: Behaviour, reason: str
) -> None:
    stub.behave = behaviour

    (result,) = predict(client, make_forward())

    assert isinstance(result, PredictorUnavailable)
    assert reason in str(result)
    assert len(stub.received) == 1  # no redirect was followed and nothing sent again


@pytest.mark.parametrize(
    "behaviour",
    [hang, drip(HEAD, b"X: 1\r\n"), drip(HEAD + b"Content-Length: 10000\r\n\r\n", b" ")],
    ids=["hang", "drip head", "drip body"],
)
def test_predictor_is_unavailable_at_the_deadline_when_it_drags_its_answer_out(
    client: PredictorClient, stub: StubServer, behaviour: Behaviour
) -> None:
    stub.behave = behaviour
    started = time.monotonic()

    (result,) = predict(client, make_forward(), seconds=0.3)

    assert isinstance(result, PredictorUnavailable)
    assert time.monotonic() - started < 60


def test_predictor_is_unavailable_when_nothing_listens(free_port: int) -> None:
    client = make_client(f"http://127.0.0.1:{free_port}")

    (result,) = predict(client, make_forward())

    assert isinstance(result, PredictorUnavailable)
    assert "Connection refused" in str(result)


@pytest.mark.parametrize("url", ["http://nosuchhost.invalid", "http://a..b", "http://127.0.0.1:0"])
def test_predictor_is_unavailable_when_its_address_leads_nowhere(url: str) -> None:
    client = make_client(url)

    assert isinstance(predict(client, make_forward())[0], PredictorUnavailable)


# The connection


def test_one_connection_serves_many_calls(client: PredictorClient, stub: StubServer) -> None:
    for behaviour in [
        answer(200, PREDICTION),
        answer(422, REJECTION),
        answer(500, b"x"),
        answer(302, b"x", "Location: /"),
        answer(200, b"<html>"),
    ] * 2:
        stub.behave = behaviour
        predict(client, make_forward())

    assert len(stub.received) == 10
    assert len({request.connection for request in stub.received}) == 1


def test_call_succeeds_after_the_predictor_closed_the_connection(
    client: PredictorClient, stub: StubServer
) -> None:
    content = json.dumps(PREDICTION).encode()
    stub.behave = send_and_close(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)

    for _ in range(3):
        assert isinstance(predict(client, make_forward())[0], Answer)
        stub.wait_until_closed()

    assert len({request.connection for request in stub.received}) == 3


def send_first(*unasked_headers: str) -> Behaviour:
    """Send an answer that nobody asked for, then the right one."""

    def behave(exchange: Exchange) -> None:
        exchange.wfile.write(write_answer(200, price(-1), *unasked_headers))
        predict_as_service_b(exchange)

    return behave


@pytest.mark.parametrize(
    "unasked", [send_first(), send_first("X-Request-ID: r0"), send_first("X-Request-ID: x")]
)
def test_answer_to_another_request_is_not_taken_when_the_connection_is_reused(
    client: PredictorClient, stub: StubServer, unasked: Behaviour
) -> None:
    stub.behave = predict_as_service_b
    predict(client, make_forward(request_id="r0"))
    stub.behave = unasked
    (result,) = predict(client, make_forward(request_id="r1"))
    stub.behave = predict_as_service_b
    (last,) = predict(client, make_forward(b'{"id":2}', "r2"))

    assert isinstance(result, PredictorUnavailable)
    assert "answer to another request" in str(result)
    assert isinstance(last, Answer)
    assert last.price == 2
    assert [each.connection == stub.received[0].connection for each in stub.received] == [
        True,
        True,
        False,
    ]


def test_answer_to_an_earlier_call_is_not_taken_when_a_caller_sends_the_same_id(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = predict_as_service_b
    predict(client, make_forward(request_id="same"))
    stub.behave = send_first("X-Request-ID: same")

    (result,) = predict(client, make_forward(request_id="same"))

    assert isinstance(result, PredictorUnavailable)


def test_answer_with_the_id_of_another_request_is_not_taken_on_a_new_connection(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = send_first("X-Request-ID: other")

    assert isinstance(predict(client, make_forward())[0], PredictorUnavailable)


def test_connection_serves_one_call_only_when_the_predictor_echoes_no_id(
    client: PredictorClient, stub: StubServer
) -> None:
    def answer_without_id(exchange: Exchange) -> None:
        exchange.wfile.write(write_answer(200, PREDICTION))

    stub.behave = answer_without_id

    for _ in range(3):
        assert isinstance(predict(client, make_forward())[0], Answer)
        stub.wait_until_closed()

    assert len({request.connection for request in stub.received}) == 3


def test_refusal_of_a_batch_is_taken_without_an_id(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = predict_as_service_b
    predict(client, make_forward())

    def refuse_more_than_two(exchange: Exchange) -> None:
        if exchange.received.body.count(b",") > 1:
            exchange.wfile.write(write_answer(413, b"<html>"))
        else:
            predict_as_service_b(exchange)

    stub.behave = refuse_more_than_two
    results = predict(client, *[make_forward(b'{"id":%d}' % number) for number in range(4)])

    assert [result.price for result in results if isinstance(result, Answer)] == [0, 1, 2, 3]


def test_connection_is_not_used_again_when_something_waits_on_it(
    client: PredictorClient, stub: StubServer
) -> None:
    taken, sent = threading.Event(), threading.Event()

    def send_one_more(exchange: Exchange) -> None:
        predict_as_service_b(exchange)
        assert taken.wait(60)
        exchange.wfile.write(write_answer(200, price(-1), "X-Request-ID: r2"))
        while fcntl.ioctl(exchange.connection, termios.TIOCOUTQ, bytes(4)) != bytes(4):
            pass  # it has not arrived yet
        sent.set()

    stub.behave = send_one_more
    predict(client, make_forward(request_id="r1"))
    taken.set()
    assert sent.wait(60)
    stub.behave = predict_as_service_b

    (result,) = predict(client, make_forward(b'{"id":2}', "r2"))

    assert isinstance(result, Answer)
    assert result.price == 2
    assert len({request.connection for request in stub.received}) == 2


# Many inputs


def test_inputs_that_come_together_are_sent_in_one_call(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = answer_batch(price(1), price(2), price(3))

    results = predict(client, *make_forwards(3))

    (request,) = stub.received
    assert request.line == "POST /predict/batch HTTP/1.1\r\n"
    assert request.body == b'{"inputs":[0,1,2]}'
    assert request.headers["X-Request-ID"] == "r0,r1,r2"
    assert [result.price for result in results if isinstance(result, Answer)] == [1, 2, 3]


def test_only_whole_request_ids_are_sent_when_there_is_no_room_for_all(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = answer_batch(*[price(1)] * 128)
    ids = [f"{number:0128}" for number in range(128)]

    predict(client, *[make_forward(request_id=request_id) for request_id in ids])

    (request,) = stub.received
    assert request.headers["X-Request-ID"] == ",".join(ids[:127])  # B takes 16,384 characters


BATCH_FAILURES: dict[str, Behaviour] = {
    "503": answer(503, {"detail": "Model is not available"}),
    "redirect": answer(302, b"", "Location: http://["),
    "HTML": answer(200, b"<html>"),
    "too few": answer_batch(price(1), price(2)),
    "too many": answer_batch(*[price(1)] * 4),
    "no object": answer_batch(price(1), 2, price(3)),
    "no list": answer(200, {"results": {}}),
    "one answer": answer(200, PREDICTION),
    "reset": reset,
}


@pytest.mark.parametrize("behaviour", BATCH_FAILURES.values(), ids=BATCH_FAILURES.keys())
def test_predictor_is_unavailable_to_all_when_its_answer_to_a_batch_is_unusable(
    client: PredictorClient, stub: StubServer, behaviour: Behaviour
) -> None:
    stub.behave = behaviour

    results = predict(client, *make_forwards(3))

    assert [type(result) for result in results] == [PredictorUnavailable] * 3
    assert len({id(result) for result in results}) == 3  # each caller raises one of its own
    assert len(stub.received) == 1


TOO_MUCH: dict[str, Behaviour] = {
    "too large": answer(413, {"detail": "too large"}),
    "too deep": answer(422, reject(["body"])),
    "huge answer": answer(200, b" " * 9_000_000),
}


@pytest.mark.parametrize("refuse", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_batch_is_halved_when_it_is_too_much_for_one_call(
    client: PredictorClient, stub: StubServer, refuse: Behaviour
) -> None:
    def refuse_more_than_two(exchange: Exchange) -> None:
        inputs = json.loads(exchange.received.body)["inputs"]
        behave = refuse if len(inputs) > 2 else answer_batch(*map(price, inputs))
        behave(exchange)

    stub.behave = refuse_more_than_two

    results = predict(client, *make_forwards(4))

    assert [result.price for result in results if isinstance(result, Answer)] == [0, 1, 2, 3]
    assert len(stub.received) == 3


def test_batch_is_halved_until_the_input_stands_alone_that_has_it_refused_as_a_whole(
    client: PredictorClient, stub: StubServer
) -> None:
    def refuse_whatever_holds_the_last(exchange: Exchange) -> None:
        body = json.loads(exchange.received.body)
        inputs = body.get("inputs") or [body["input"]]
        if 2 in inputs:
            behave = answer(422, reject(["body", "input"]))
        elif "inputs" in body:
            behave = answer_batch(*[price(number) for number in inputs])
        else:
            behave = answer(200, price(*inputs))
        behave(exchange)

    stub.behave = refuse_whatever_holds_the_last

    results = predict(client, *make_forwards(3))

    assert [each.price for each in results[:2] if isinstance(each, Answer)] == [0, 1]
    assert isinstance(results[2], InputRejected)
    called = [request.headers["X-Request-ID"] for request in stub.received]
    assert called == ["r0,r1,r2", "r0", "r1,r2", "r1", "r2"]


def test_every_other_input_is_answered_when_some_make_the_predictor_fail(
    client: PredictorClient, stub: StubServer
) -> None:
    def fail_at_bad_ones(exchange: Exchange) -> None:
        failing = b'"bad"' in exchange.received.body
        (answer(500, b"") if failing else predict_as_service_b)(exchange)

    stub.behave = fail_at_bad_ones
    data = [b'{"bad":1}' if n in (3, 17, 18) else b'{"id":%d}' % n for n in range(32)]

    results = predict(client, *[make_forward(each) for each in data])

    prices = {n: result.price for n, result in enumerate(results) if isinstance(result, Answer)}
    assert prices == {n: n for n in range(32) if n not in (3, 17, 18)}
    assert {type(results[n]) for n in (3, 17, 18)} == {InputFailed}


def test_batch_is_split_when_it_is_too_large_for_one_call(
    client: PredictorClient, stub: StubServer
) -> None:
    def answer_all(exchange: Exchange) -> None:
        inputs = json.loads(exchange.received.body)["inputs"]
        answer_batch(*[price(int(text[0])) for text in inputs])(exchange)

    stub.behave = answer_all
    megabyte = "x" * 1_000_000
    forwards = [make_forward(b'"%d%b"' % (i, megabyte.encode())) for i in range(8)]

    results = predict(client, *forwards)

    assert [result.price for result in results if isinstance(result, Answer)] == list(range(8))
    assert len(stub.received) == 2


def test_batch_ends_at_the_deadline_when_the_predictor_hangs(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = hang
    started = time.monotonic()

    results = predict(client, *make_forwards(2), seconds=0.3)

    assert [type(result) for result in results] == [PredictorTimeout] * 2
    assert time.monotonic() - started < 60


# Models


def test_every_input_is_told_when_service_b_has_no_such_model(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = answer(404, {"detail": "Model not found"})
    forwards = [Forward(b"1", "r1", "nosuch")] * 2

    first, second = predict(client, *forwards)

    assert [type(first), type(second)] == [ModelUnknown] * 2
    assert str(first) == str(second) == "Model not found"
    assert first is not second


# A server that takes no batches


def predict_singly(status: int) -> Behaviour:
    """Predict as Service B does, but take no batches."""

    def behave(exchange: Exchange) -> None:
        batch = "/predict/batch " in exchange.received.line
        (answer(status, b"<html>") if batch else predict_as_service_b)(exchange)

    return behave


@pytest.mark.parametrize("model", [None, "iris"])
@pytest.mark.parametrize("status", [404, 405])
def test_server_that_takes_no_batches_is_asked_for_each_input_by_itself(
    client: PredictorClient, stub: StubServer, status: int, model: str | None
) -> None:
    stub.behave = predict_singly(status)
    forwards = [Forward(b'{"id":%d}' % each, f"r{each}", model) for each in range(10)]

    for _ in range(2):
        results = predict(client, *forwards)
        assert [isinstance(each, Answer) and each.price for each in results] == list(range(10))

    prefix = "" if model is None else f"/models/{model}"
    paths = [request.line.split()[1] for request in stub.received]
    assert paths == [f"{prefix}/predict/batch", *[f"{prefix}/predict"] * 20]
