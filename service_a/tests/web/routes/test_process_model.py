"""`POST /process` with the name of a model."""

import pytest
from starlette.testclient import TestClient

from tests.stub_server import PREDICTION, StubServer, answer


def process(client: TestClient, model: object) -> tuple[int, object]:
    reply = client.post("/process", json={"data": {}, "model": model})
    return reply.status_code, reply.json()


def test_named_model_is_asked(client: TestClient, stub: StubServer) -> None:
    status, _ = process(client, "california")

    assert status == 200
    assert stub.received[0].line == "POST /models/california/predict HTTP/1.1\r\n"


def test_default_model_is_asked_when_null_is_named(client: TestClient, stub: StubServer) -> None:
    process(client, None)

    assert stub.received[0].line == "POST /predict HTTP/1.1\r\n"


def test_other_models_may_predict_something_else_than_a_price(
    client: TestClient, stub: StubServer
) -> None:
    iris = {"prediction": {"species": "setosa"}}
    stub.behave = answer(200, iris)

    assert process(client, "iris")[1] == {
        "status": "Input logged successfully",
        "model_prediction": iris,
    }
    assert process(client, None)[0] == 503


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
