import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors import InputRejected, ModelUnknown, PredictorTimeout, PredictorUnavailable
from gateway.forwarding.circuit_breaker import CircuitBreaker
from gateway.forwarding.client import Answer, Forward, PredictorClient
from gateway.forwarding.retries import Patience, RetryBudget
from tests.stub_server import (
    PREDICTION,
    REJECTION,
    Behaviour,
    Exchange,
    StubServer,
    answer,
    drip,
    hang,
    predict,
    reset,
    send_and_close,
)


def make_patience() -> Patience:
    """Patience has tests of its own: here each call is made once, whatever came of others."""
    return Patience(
        CircuitBreaker(failures_to_open=100, window_seconds=5),
        RetryBudget(share=0, window_seconds=30),
    )


@pytest.fixture
def client(stub: StubServer) -> Iterator[PredictorClient]:
    client = PredictorClient(stub.url, make_patience(), connect_timeout_seconds=1)
    yield client
    client.close()


def make_forward(data: bytes = b"{}", request_id: str = "r1", seconds: float = 20) -> Forward:
    return Forward(data, request_id, time.monotonic() + seconds)


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
    client.predict([make_forward(b'{"a": 1.10}', "abc")])

    (request,) = stub.received
    assert request.line == "POST /predict HTTP/1.1\r\n"
    assert request.body == b'{"input":{"a": 1.10}}'
    assert request.headers["X-Request-ID"] == "abc"
    assert request.headers["Content-Type"] == "application/json"


def test_answer_is_passed_on_byte_for_byte(client: PredictorClient, stub: StubServer) -> None:
    body = b'{"prediction": {"price": 1.10, "x": [1e2], "model_version": "7"},  "message": "m"}'
    stub.behave = answer(200, body)

    assert client.predict([make_forward()]) == [Answer(body, 1.1, "7")]


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [({"price": 5}, (5.0, None)), ({"price": -1.5, "model_version": None}, (-1.5, None))],
)
def test_model_version_may_be_missing(
    client: PredictorClient, stub: StubServer, prediction: Any, expected: object
) -> None:
    stub.behave = answer(200, {"prediction": prediction, "message": "m"})

    (result,) = client.predict([make_forward()])

    assert isinstance(result, Answer)
    assert (result.price, result.model_version) == expected


def test_compressed_answer_is_read(client: PredictorClient, stub: StubServer) -> None:
    body = json.dumps(PREDICTION).encode()
    stub.behave = answer(200, gzip.compress(body), "Content-Encoding: gzip")

    (result,) = client.predict([make_forward()])

    assert isinstance(result, Answer)
    assert result.body == body


def test_rejection_is_told_in_the_callers_places(client: PredictorClient, stub: StubServer) -> None:
    stub.behave = answer(422, REJECTION)

    (result,) = client.predict([make_forward()])

    assert isinstance(result, InputRejected)
    assert result.problems == [
        {**REJECTION["detail"][0], "loc": ["body", "data", "overall_qual"]},
    ]


@pytest.mark.parametrize(
    ("loc", "expected"),
    [
        (["body", "input"], ["body", "data"]),
        (["body", "input", "rooms", 2, "input"], ["body", "data", "rooms", 2, "input"]),
    ],
)
def test_only_the_beginning_of_a_place_is_changed(
    client: PredictorClient, stub: StubServer, loc: list[str | int], expected: list[str | int]
) -> None:
    stub.behave = answer(422, reject(loc))

    (result,) = client.predict([make_forward()])

    assert isinstance(result, InputRejected)
    assert result.problems[0]["loc"] == expected


HEAD = b"HTTP/1.1 200 OK\r\n"

# Everything else that can come back, and a part of what the log says of it.
FAILURES: dict[str, tuple[Behaviour, str]] = {
    "500": (answer(500, {"detail": "Internal error"}), "status 500"),
    "503": (answer(503, {"detail": "Model is not available"}, "Retry-After: 5"), "status 503"),
    "404": (answer(404, {"detail": "Not Found"}), "status 404"),
    "413": (answer(413, {"detail": "too large"}), "status 413"),
    "201": (answer(201, PREDICTION), "status 201"),
    "redirect": (answer(302, PREDICTION, "Location: http://127.0.0.1:9/predict"), "status 302"),
    "redirect to itself": (answer(307, b"", "Location: /predict"), "status 307"),
    "redirect to no host": (answer(302, b"", "Location: http://["), "status 302"),
    "redirect in no alphabet": (answer(302, b"", "Location: \xff\xfe"), "status 302"),
    "HTML": (answer(200, b"<html>It works!</html>", "Content-Type: text/html"), "not JSON"),
    "empty": (answer(200, b""), "not JSON"),
    "truncated JSON": (answer(200, b'{"prediction": {"price": 1'), "not JSON"),
    "NaN": (answer(200, b'{"prediction": {"price": NaN}, "message": "m"}'), "not JSON"),
    "duplicate key": (
        answer(200, b'{"prediction": {"price": 1, "price": 2}, "message": "m"}'),
        "not JSON",
    ),
    "invalid UTF-8": (answer(200, b'{"message": "\xff"}'), "not JSON"),
    "deep": (answer(200, b"[" * 100_000), "not JSON"),
    "price beyond floats": (
        answer(200, b'{"prediction": {"price": 1e400}, "message": "m"}'),
        "wrong shape: prediction.price",
    ),
    "price as text": (answer(200, price("208500")), "wrong shape: prediction.price"),
    "price as truth": (answer(200, price(True)), "wrong shape: prediction.price"),
    "price missing": (answer(200, {"prediction": {}, "message": "m"}), "wrong shape"),
    "null": (answer(200, None), "wrong shape"),
    "list": (answer(200, [PREDICTION]), "wrong shape"),
    "message missing": (answer(200, {"prediction": {"price": 1}}), "wrong shape: message"),
    "422 without a list": (answer(422, {"detail": "wrong"}), "wrong shape: detail"),
    "422 without a problem": (answer(422, {"detail": []}), "wrong shape: detail"),
    "422 about something else": (answer(422, reject(["body", "x"])), "wrong shape: loc"),
    "422 about the body": (answer(422, reject(["body"])), "wrong shape: loc"),
    "422 in HTML": (answer(422, b"<html>"), "not JSON"),
    "huge": (answer(200, b" " * 9_000_000), "answer over 8388608 bytes"),
    "huge when unpacked": (
        answer(200, gzip.compress(b" " * 50_000_000), "Content-Encoding: gzip"),
        "answer over 8388608 bytes",
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

    (result,) = client.predict([make_forward()])

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

    (result,) = client.predict([make_forward(seconds=0.3)])

    assert isinstance(result, PredictorUnavailable)
    assert time.monotonic() - started < 5


def test_predictor_is_unavailable_when_nothing_listens(free_port: int) -> None:
    client = PredictorClient(
        f"http://127.0.0.1:{free_port}", make_patience(), connect_timeout_seconds=1
    )

    (result,) = client.predict([make_forward()])

    assert isinstance(result, PredictorUnavailable)
    assert "Connection refused" in str(result)


@pytest.mark.parametrize("url", ["http://nosuchhost.invalid", "http://a..b", "http://127.0.0.1:0"])
def test_predictor_is_unavailable_when_its_address_leads_nowhere(url: str) -> None:
    client = PredictorClient(url, make_patience(), connect_timeout_seconds=1)

    assert isinstance(client.predict([make_forward()])[0], PredictorUnavailable)


def test_nothing_is_sent_when_the_deadline_has_passed(
    client: PredictorClient, stub: StubServer
) -> None:
    (result,) = client.predict([make_forward(seconds=-1)])

    assert isinstance(result, PredictorUnavailable)
    assert stub.received == []


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
        client.predict([make_forward()])

    assert len(stub.received) == 10
    assert len({request.connection for request in stub.received}) == 1


def test_call_succeeds_after_the_predictor_closed_the_connection(
    client: PredictorClient, stub: StubServer
) -> None:
    content = json.dumps(PREDICTION).encode()
    stub.behave = send_and_close(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)

    for _ in range(3):
        assert isinstance(client.predict([make_forward()])[0], Answer)
        stub.wait_until_closed()

    assert len({request.connection for request in stub.received}) == 3


def test_connection_ends_when_the_client_is_closed(
    client: PredictorClient, stub: StubServer
) -> None:
    client.predict([make_forward()])

    client.close()

    stub.wait_until_closed()


def test_proxies_and_passwords_of_the_environment_are_ignored(
    client: PredictorClient, stub: StubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    assert isinstance(client.predict([make_forward()])[0], Answer)
    assert stub.received[0].headers["Authorization"] is None


# Many inputs


def test_inputs_that_come_together_are_sent_in_one_call(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = answer_batch(price(1), price(2), price(3))

    results = client.predict(make_forwards(3))

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

    client.predict([make_forward(request_id=request_id) for request_id in ids])

    (request,) = stub.received
    assert request.headers["X-Request-ID"] == ",".join(ids[:127])  # B takes 16,384 characters


def test_each_input_gets_its_own_result(client: PredictorClient, stub: StubServer) -> None:
    stub.behave = answer_batch(
        price(1),
        {"error": reject(["body", "inputs", 1, "overall_qual"])},
        price("no number"),
        {"error": reject(["body", "inputs", 0])},
        {"error": "wrong"},
        {},
        PREDICTION,
    )

    results = client.predict(make_forwards(7))

    assert [type(result) for result in results] == [
        Answer,
        InputRejected,
        PredictorUnavailable,
        PredictorUnavailable,
        PredictorUnavailable,
        PredictorUnavailable,
        Answer,
    ]
    first, rejected, last = results[0], results[1], results[6]
    assert isinstance(first, Answer)
    assert json.loads(first.body) == price(1)
    assert isinstance(rejected, InputRejected)
    assert rejected.problems[0]["loc"] == ["body", "data", "overall_qual"]
    assert isinstance(last, Answer)
    assert json.loads(last.body) == PREDICTION


def test_answer_of_a_batch_is_json_when_it_holds_a_number_beyond_floats(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = answer(
        200, b'{"results":[{"prediction":{"price":1,"x":1e400},"message":"m"},{}]}'
    )

    (result, _) = client.predict(make_forwards(2))

    assert isinstance(result, Answer)
    assert json.loads(result.body) == {"prediction": {"price": 1, "x": None}, "message": "m"}


BATCH_FAILURES: dict[str, Behaviour] = {
    "500": answer(500, {"detail": "Internal error"}),
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

    results = client.predict(make_forwards(3))

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
        inputs = json.loads(exchange.server.received[-1].body)["inputs"]
        behave = refuse if len(inputs) > 2 else answer_batch(*map(price, inputs))
        behave(exchange)

    stub.behave = refuse_more_than_two

    results = client.predict(make_forwards(4))

    assert [result.price for result in results if isinstance(result, Answer)] == [0, 1, 2, 3]
    assert len(stub.received) == 3


def test_batch_is_halved_until_the_input_stands_alone_that_has_it_refused_as_a_whole(
    client: PredictorClient, stub: StubServer
) -> None:
    def refuse_whatever_holds_the_last(exchange: Exchange) -> None:
        body = json.loads(exchange.server.received[-1].body)
        inputs = body.get("inputs") or [body["input"]]
        if 2 in inputs:
            behave = answer(422, reject(["body", "input"]))
        elif "inputs" in body:
            behave = answer_batch(*[price(number) for number in inputs])
        else:
            behave = answer(200, price(*inputs))
        behave(exchange)

    stub.behave = refuse_whatever_holds_the_last

    results = client.predict(make_forwards(3))

    assert [each.price for each in results[:2] if isinstance(each, Answer)] == [0, 1]
    assert isinstance(results[2], InputRejected)
    called = [request.headers["X-Request-ID"] for request in stub.received]
    assert called == ["r0,r1,r2", "r0", "r1,r2", "r1", "r2"]


def test_batch_is_split_when_it_is_too_large_for_one_call(
    client: PredictorClient, stub: StubServer
) -> None:
    def answer_all(exchange: Exchange) -> None:
        inputs = json.loads(exchange.server.received[-1].body)["inputs"]
        answer_batch(*[price(int(text[0])) for text in inputs])(exchange)

    stub.behave = answer_all
    megabyte = "x" * 1_000_000
    forwards = [make_forward(b'"%d%b"' % (i, megabyte.encode())) for i in range(8)]

    results = client.predict(forwards)

    assert [result.price for result in results if isinstance(result, Answer)] == list(range(8))
    assert len(stub.received) == 2


def test_batch_ends_at_its_latest_deadline_when_the_predictor_hangs(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = hang
    started = time.monotonic()

    results = client.predict([make_forward(seconds=0.1), make_forward(seconds=0.3)])

    assert [type(result) for result in results] == [PredictorTimeout] * 2
    assert time.monotonic() - started < 5


# Models


def test_each_model_is_asked_in_a_call_of_its_own(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = predict
    models = [None, "a", "b", "a", None]
    forwards = [
        Forward(b'{"id":%d}' % number, f"r{number}", time.monotonic() + 20, model)
        for number, model in enumerate(models)
    ]

    results = client.predict(forwards)

    assert [result.price for result in results if isinstance(result, Answer)] == [0, 1, 2, 3, 4]
    assert sorted(request.line.split()[1] for request in stub.received) == [
        "/models/a/predict/batch",
        "/models/b/predict",
        "/predict/batch",
    ]


def test_every_input_is_told_when_service_b_has_no_such_model(
    client: PredictorClient, stub: StubServer
) -> None:
    stub.behave = answer(404, {"detail": "Model not found"})
    forwards = [Forward(b"1", "r1", time.monotonic() + 20, "nosuch")] * 2

    assert [type(result) for result in client.predict(forwards)] == [ModelUnknown] * 2
