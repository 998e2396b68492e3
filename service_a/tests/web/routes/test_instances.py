import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.web.schemas import DISTRICT
from tests.conftest import StartGateway
from tests.log_file import read_inputs
from tests.stub_server import PREDICTION, REJECTION, Behaviour, StubServer, answer, predict

pytestmark = pytest.mark.usefixtures("plain")

PATH = "/api/v1/predict"
JSON = {"Content-Type": "application/json"}
UNAVAILABLE = {"detail": "Service B is unavailable"}


@pytest.fixture(autouse=True)
def predicting(stub: StubServer) -> None:
    stub.behave = predict


def make_results(*predictions: dict[str, Any] | None) -> Behaviour:
    """Answer a batch: None is an input that is wrong."""
    (problem,) = REJECTION["detail"]
    results = [
        {"prediction": {**PREDICTION["prediction"], **prediction}, "message": "Predicted"}
        if prediction is not None
        else {"error": {"detail": [{**problem, "loc": ["body", "inputs", place, "population"]}]}}
        for place, prediction in enumerate(predictions)
    ]
    return answer(200, {"results": results})


def test_caller_gets_each_price_with_its_interval_and_the_version(
    client: TestClient, stub: StubServer
) -> None:
    stub.behave = answer(200, PREDICTION)

    reply = client.post(PATH, json={"instances": [DISTRICT]})

    assert reply.status_code == 200
    assert reply.text == (
        '{"predictions":[{"predicted_price":208500.0,"confidence_interval":'
        '{"lower":189000.0,"upper":230000.0,"coverage":0.9}}],"model_version":"1"}'
    )


@pytest.mark.parametrize("count", [1, 2, 100])
def test_instances_are_logged_forwarded_and_answered_in_their_order(
    client: TestClient, stub: StubServer, log_path: Path, count: int
) -> None:
    instances = [{"id": number} for number in range(count)]

    reply = client.post(PATH, json={"instances": instances}, headers={"X-Request-ID": "r1"})

    prices = [each["predicted_price"] for each in reply.json()["predictions"]]
    assert prices == list(range(count))
    rows = read_inputs(log_path)
    assert [json.loads(row["data"]) for row in rows] == instances
    assert [row["price"] for row in rows] == prices
    assert {(row["request_id"], row["model"], row["outcome"]) for row in rows} == {
        ("r1", "california", "predicted")
    }
    assert {each.line.split("/")[2] for each in stub.received} == {"california"}


def test_instances_are_in_the_log_before_they_are_forwarded(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    seen: list[dict[str, Any]] = []

    def read_log_first(exchange: Any) -> None:
        seen.extend(read_inputs(log_path, settled=False))
        predict(exchange)

    stub.behave = read_log_first
    client.post(PATH, json={"instances": [{"id": 1}, {"id": 2}]})

    assert [row["outcome"] for row in seen] == ["pending"] * 2


def test_instances_are_logged_and_forwarded_as_they_were_sent(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    texts = ['{"id": 1.0, "rooms" :0.10000000000000000001}', '{"a": {"b": ["]},{", -0]}, "id": 2}']
    body = '{ "instances": [%s ,\n%s]}' % (*texts,)  # noqa: UP031 - it has braces

    assert client.post(PATH, content=body, headers=JSON).status_code == 200

    assert [row["data"] for row in read_inputs(log_path)] == texts
    assert stub.received[0].body.decode() == '{"inputs":[%s]}' % ",".join(texts)  # noqa: UP031


def test_whole_call_is_refused_in_the_callers_places_when_one_instance_is_wrong(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    stub.behave = make_results({}, None, {})

    reply = client.post(PATH, json={"instances": [DISTRICT] * 3})

    assert reply.status_code == 422
    (problem,) = reply.json()["detail"]
    assert problem["loc"] == ["body", "instances", 1, "population"]
    assert problem["msg"] == "Input should be less than or equal to 10"
    outcomes = [row["outcome"] for row in read_inputs(log_path)]
    assert outcomes == ["predicted", "rejected", "predicted"]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ("{}", ["instances"]),
        ('{"instances": []}', ["instances"]),
        ('{"instances": [%s]}' % ",".join(["1"] * 101), ["instances"]),  # noqa: UP031
        ('{"instances": {}}', ["instances"]),
        ('{"instances": null}', ["instances"]),
        ('{"instances": [{}], "model": "ames"}', ["model"]),
        ('{"instances": [{}, {"a": 1e400}]}', ["instances", 1]),
        ("[]", []),
    ],
)
def test_body_without_1_to_100_instances_is_refused_and_not_logged(
    client: TestClient, stub: StubServer, log_path: Path, body: str, loc: list[str | int]
) -> None:
    reply = client.post(PATH, content=body, headers=JSON)

    assert reply.status_code == 422
    assert [problem["loc"] for problem in reply.json()["detail"]] == [["body", *loc]]
    assert stub.received == []
    assert read_inputs(log_path) == []


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(500, {"detail": "Internal error"}),
        answer(404, {"detail": "There is no model 'california'; there is ames"}),
        answer(200, {"prediction": {"species": "setosa"}}),
        answer(200, {"prediction": {"price": None}}),
        answer(200, {"prediction": {"price": 1.0, "interval": {"lower": 1.0}}}),
    ],
)
def test_instances_are_in_the_log_when_service_b_has_no_price_for_them(
    client: TestClient, stub: StubServer, log_path: Path, behaviour: Behaviour
) -> None:
    stub.behave = behaviour

    reply = client.post(PATH, json={"instances": [DISTRICT]})

    assert (reply.status_code, reply.json()) == (503, UNAVAILABLE)
    assert reply.headers["Retry-After"] == "5"
    assert len(read_inputs(log_path)) == 1


@pytest.mark.parametrize("prediction", [{"price": 7.5, "interval": None}, {"price": 7.5}])
def test_interval_and_version_are_null_when_there_are_none(
    client: TestClient, stub: StubServer, prediction: dict[str, Any]
) -> None:
    stub.behave = answer(200, {"prediction": prediction})

    assert client.post(PATH, json={"instances": [{}]}).json() == {
        "predictions": [{"predicted_price": 7.5, "confidence_interval": None}],
        "model_version": None,
    }


def test_both_versions_are_named_when_one_replaced_the_other_meanwhile(
    client: TestClient, stub: StubServer
) -> None:
    stub.behave = make_results(*({"model_version": version} for version in ("9", "10", "10")))

    assert client.post(PATH, json={"instances": [{}] * 3}).json()["model_version"] == "9, 10"


def test_another_model_is_asked_and_only_loosely_described_when_the_settings_name_it(
    start_gateway: StartGateway, stub: StubServer
) -> None:
    client = start_gateway(GATEWAY_INSTANCES_MODEL="ames")

    assert client.post(PATH, json={"instances": [{}, {}]}).status_code == 200

    assert stub.received[0].line == "POST /models/ames/predict/batch HTTP/1.1\r\n"
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert "District" not in schemas
    body = schemas["InstancesRequest"]["properties"]["instances"]
    assert body == {"items": {}, "maxItems": 100, "minItems": 1, "title": "Instances"} | {
        "type": "array"
    }
