"""`POST /process` with the name of a model."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.intake import lanes
from tests.stub_server import PREDICTION, Behaviour, Exchange, StubServer, answer, predict
from tests.telemetry.test_metrics import read


def process(client: TestClient, model: object) -> tuple[int, Any]:
    reply = client.post("/process", json={"data": {}, "model": model})
    return reply.status_code, reply.json()


@pytest.mark.parametrize("model", ["california", "ames@challenger"])
def test_named_model_is_asked(client: TestClient, stub: StubServer, model: str) -> None:
    status, _ = process(client, model)

    assert status == 200
    assert stub.received[0].line == f"POST /models/{model}/predict HTTP/1.1\r\n"
    assert client.get("/inputs").json()["inputs"][0]["model"] == model


def test_default_model_is_asked_when_null_is_named(client: TestClient, stub: StubServer) -> None:
    process(client, None)

    assert stub.received[0].line == "POST /predict HTTP/1.1\r\n"


@pytest.mark.parametrize("model", [None, "diabetes"])
def test_any_model_may_predict_something_else_than_a_price(
    client: TestClient, stub: StubServer, model: str | None
) -> None:
    progression = {"prediction": {"progression": 206.1, "model_version": "3"}}
    stub.behave = answer(200, progression)

    assert process(client, model)[1] == {
        "status": "Input logged successfully",
        "model_prediction": progression,
    }
    (record,) = client.get("/inputs").json()["inputs"]
    assert (record["outcome"], record["price"]) == ("predicted", None)
    assert (record["prediction"], record["model_version"]) == (progression["prediction"], "3")
    assert json.loads(client.get("/inputs/export").text) == record


@pytest.mark.parametrize("model", [None, "ames"])
def test_warnings_are_passed_on_logged_and_counted(
    client: TestClient, stub: StubServer, model: str | None
) -> None:
    fields = ["garage_cars", "garage_type"]
    warnings = [{"fields": fields, "msg": "Garage has 3 cars, but garage type says there is none"}]
    stub.behave = answer(200, PREDICTION | {"warnings": warnings})
    assert process(client, model)[1]["model_prediction"]["warnings"] == warnings
    stub.behave = answer(200, PREDICTION)
    assert process(client, model)[1]["model_prediction"] == PREDICTION

    without, with_warnings = client.get("/inputs").json()["inputs"]
    assert (with_warnings["warnings"], without["warnings"]) == (warnings, None)
    exported = [json.loads(line) for line in client.get("/inputs/export").text.splitlines()]
    assert exported == [with_warnings, without]
    series = 'gateway_warnings_total{fields="garage_cars,garage_type",model="ames",version="1"} 1.0'
    assert series in client.get("/metrics").text


def test_caller_is_told_which_models_there_are_when_service_b_has_none_of_the_name(
    client: TestClient, stub: StubServer
) -> None:
    refusal = {"detail": "There is no model 'amse'; there is ames, california"}
    stub.behave = answer(404, refusal)

    assert process(client, "amse") == (404, refusal)
    assert client.get("/inputs").json()["inputs"][0]["outcome"] == "rejected"


def test_service_b_is_unavailable_when_something_else_knows_no_such_page(
    client: TestClient, stub: StubServer
) -> None:
    stub.behave = answer(404, b"<html>")

    assert process(client, "ames")[0] == 503


@pytest.mark.parametrize("model", ["", "..", "a/b", "a b", "a" * 65, "é", "a\n", 1, True, ["a"]])
def test_name_that_could_be_no_models_is_refused(
    client: TestClient, stub: StubServer, model: object
) -> None:
    status, _ = process(client, model)

    assert status == 422
    assert stub.received == []


def test_each_model_gets_its_own_call(client: TestClient, stub: StubServer) -> None:
    stub.behave = answer(200, PREDICTION)

    assert [process(client, name)[0] for name in ("a", "b", "a")] == [200, 200, 200]
    assert [request.line.split("/")[2] for request in stub.received] == ["a", "b", "a"]


# One model's trouble


def misbehave_for(model: str, behave: Behaviour) -> Behaviour:
    """Predict, except for one model."""

    def choose(exchange: Exchange) -> None:
        line = exchange.received.line
        (behave if f"/models/{model}/" in line else predict)(exchange)

    return choose


def test_other_models_are_asked_when_one_is_not_loaded(
    client: TestClient, stub: StubServer
) -> None:
    stub.behave = misbehave_for("gone", answer(503, {"detail": "Model is not available"}))

    assert {process(client, "gone")[0] for _ in range(10)} == {503}

    assert len(stub.received) < 10  # its own circuit is open
    assert [process(client, name)[0] for name in (None, "ames", "new")] == [200, 200, 200]
    assert client.get("/health").json()["circuit_breaker"] == "closed"
    states = {
        name: value
        for name, value in read(client).items()
        if name.startswith("gateway_model_circuit_breaker_state") and value
    }
    assert states.keys() == {
        f'gateway_model_circuit_breaker_state{{model="{name}",state="{state}"}}'
        for name, state in {"gone": "open", "ames": "closed", "new": "closed"}.items()
    }


def test_named_models_are_asked_when_the_default_one_fails(
    client: TestClient, stub: StubServer
) -> None:
    stub.behave = lambda exchange: (
        predict if "/models/" in exchange.received.line else answer(500, b"")
    )(exchange)
    for _ in range(10):
        assert process(client, None)[0] == 503

    assert process(client, "california")[0] == 200
    assert client.get("/health").json()["circuit_breaker"] == "open"


def test_other_models_are_asked_when_the_calls_of_one_hang(
    client: TestClient, stub: StubServer
) -> None:
    called = threading.Semaphore(0)

    def predict_when_released(exchange: Exchange) -> None:
        called.release()
        exchange.server.released.wait()
        predict(exchange)

    stub.behave = misbehave_for("slow", predict_when_released)
    with ThreadPoolExecutor(3) as callers:
        slow = []
        for _ in range(2):  # as many calls as are under way at a time
            slow.append(callers.submit(process, client, "slow"))
            assert called.acquire(timeout=60)
        slow.append(callers.submit(process, client, "slow"))

        statuses = [process(client, name)[0] for name in (None, "ames", "new", None)]

        assert statuses == [200] * 4
        assert not any(each.done() for each in slow)
        stub.released.set()


def test_healthy_models_are_asked_at_once_when_more_than_are_remembered_hang(
    client: TestClient, stub: StubServer
) -> None:
    called = threading.Semaphore(0)

    def hang_until_released(exchange: Exchange) -> None:
        called.release()
        exchange.server.released.wait()
        predict(exchange)

    stub.behave = lambda exchange: (
        hang_until_released if "/models/hangs" in exchange.received.line else predict
    )(exchange)
    with ThreadPoolExecutor(50) as callers:
        hanging = [callers.submit(process, client, f"hangs-{number}") for number in range(50)]
        for _ in hanging:
            assert called.acquire(timeout=10)

        statuses = [process(client, name)[0] for name in (None, "ames", "new", "ames", None)]

        assert statuses == [200] * 5
        assert not any(each.done() for each in hanging)
        stub.released.set()


def test_input_is_logged_and_refused_when_no_more_models_can_be_waited_for(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_MAX_NAMED", 0)

    assert process(client, "new") == (503, {"detail": "Service B is unavailable"})
    assert client.get("/inputs").json()["inputs"][0]["outcome"] == "unavailable"
    assert client.post("/inputs/replay").json()["unavailable"] == 1
    assert process(client, None)[0] == 200


def test_inputs_of_other_models_are_replayed_when_one_is_not_loaded(
    client: TestClient, stub: StubServer
) -> None:
    models = ["gone", None, "gone", "california"]
    stub.behave = answer(503, b"")
    for name in models:
        process(client, name)
    stub.behave = misbehave_for("gone", stub.behave)

    replayed = client.post("/inputs/replay").json()

    assert replayed == {"predicted": 2, "rejected": 0, "unavailable": 2}
