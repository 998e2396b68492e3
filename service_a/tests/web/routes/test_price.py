import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from gateway.web import validation
from gateway.web.house import House
from gateway.web.schemas import HOUSE
from gateway.web.validation import check
from tests.conftest import StartGateway
from tests.log_file import read_inputs
from tests.stub_server import REJECTION, Exchange, StubServer, answer, predict

pytestmark = pytest.mark.usefixtures("plain")

ONE = "/api/v1/price/predict"
MANY = "/api/v1/price/predict/batch"


@pytest.fixture(autouse=True)
def predicting(stub: StubServer) -> None:
    stub.behave = predict


def make_houses(count: int) -> list[dict[str, Any]]:
    return [{**HOUSE, "id": number} for number in range(1, count + 1)]


def test_caller_gets_the_price_and_nothing_of_the_models_inside(client: TestClient) -> None:
    reply = client.post(ONE, json=HOUSE)

    assert (reply.status_code, reply.json()) == (200, {"id": 1461, "predictedPrice": 1461.0})


def test_house_is_forwarded_and_logged_as_it_was_sent(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    client.post(ONE, json=HOUSE, headers={"X-Request-ID": "r1"})

    (row,) = read_inputs(log_path)
    assert json.loads(row["data"]) == HOUSE
    assert (row["request_id"], row["outcome"], row["price"]) == ("r1", "predicted", 1461.0)
    assert json.loads(stub.received[0].body) == {"input": HOUSE}


def test_category_in_any_spelling_is_forwarded_and_logged_as_it_was_sent(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    house = {**HOUSE, "neighborhood": " Collgcr\t", "street": "PAVE"}

    assert client.post(ONE, json=house).status_code == 200
    assert client.post(MANY, json={"data": [house]}).status_code == 200

    assert [json.loads(row["data"]) for row in read_inputs(log_path)] == [house, house]
    assert [json.loads(each.body) for each in stub.received] == [{"input": house}] * 2


@pytest.mark.parametrize(
    ("path", "frame"), [(ONE, "%s"), (MANY, '{"data": [%s]}'), (MANY, '{"data":[%s ,\n%s]}')]
)
def test_numbers_are_logged_and_forwarded_as_they_were_sent(
    client: TestClient, stub: StubServer, log_path: Path, path: str, frame: str
) -> None:
    rest = json.dumps({name: HOUSE[name] for name in HOUSE.keys() - {"id", "lotArea"}})
    house = f'{{"id": 1461.0, "lotArea": 8450.10000000000000000001, {rest[1:]}'

    reply = client.post(
        path, content=frame.replace("%s", house), headers={"Content-Type": "application/json"}
    )

    assert reply.status_code == 200
    assert {row["data"] for row in read_inputs(log_path)} == {house}
    assert stub.received[0].body.decode().count(house) == frame.count("%s")


def test_wrong_house_is_neither_logged_nor_forwarded(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    reply = client.post(ONE, json={**HOUSE, "street": "Dummy"})

    assert reply.status_code == 422
    assert reply.json()["detail"] == [
        {
            "type": "literal_error",
            "loc": ["body", "street"],
            "msg": "Input should be 'Grvl' or 'Pave'",
            "ctx": {"expected": "'Grvl' or 'Pave'"},
            "input": "Dummy",
        }
    ]
    assert stub.received == []
    assert read_inputs(log_path) == []


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_batch_keeps_its_order(client: TestClient, log_path: Path, count: int) -> None:
    houses = make_houses(count)

    reply = client.post(MANY, json={"data": houses}, headers={"X-Request-ID": "r1"})

    assert reply.status_code == 200
    assert reply.json()["predictions"] == [
        {"id": house["id"], "predictedPrice": house["id"]} for house in houses
    ]
    rows = read_inputs(log_path)
    assert [json.loads(row["data"])["id"] for row in rows] == [house["id"] for house in houses]
    assert {(row["request_id"], row["outcome"]) for row in rows} == {("r1", "predicted")}
    assert [row["price"] for row in rows] == [house["id"] for house in houses]


def test_batch_is_refused_as_a_whole_when_one_house_is_wrong(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    houses = make_houses(3)
    houses[1]["street"] = "Dummy"

    reply = client.post(MANY, json={"data": houses})

    assert reply.status_code == 422
    assert [problem["loc"] for problem in reply.json()["detail"]] == [["body", "data", 1, "street"]]
    assert stub.received == []
    assert read_inputs(log_path) == []


def test_house_of_far_too_many_fields_is_one_problem_of_its_batch(client: TestClient) -> None:
    house = {f"field{number}": 1 for number in range(1000)}

    reply = client.post("/api/v1/price/predict/batch", json={"data": [HOUSE, house]})

    assert reply.status_code == 422
    (problem,) = reply.json()["detail"]
    assert problem["loc"] == ["body", "data", 1]
    assert problem["msg"].startswith("Input has 1000 fields")


def test_batch_of_wrong_houses_is_looked_at_until_enough_is_told(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []

    def count_and_check(model: type[BaseModel], value: object, loc: list[str | int]) -> BaseModel:
        checked.append(model)
        return check(model, value, loc)

    monkeypatch.setattr(validation, "check", count_and_check)
    house = HOUSE | {f"field{number}": 1 for number in range(60)}

    reply = client.post(MANY, json={"data": [house] * 1000})

    assert reply.status_code == 422
    places = [problem["loc"][:3] for problem in reply.json()["detail"]]
    assert places == [["body", "data", 0]] * 60 + [["body", "data", 1]] * 40
    assert checked == [House, House]


@pytest.mark.parametrize("data", [[], [HOUSE] * 1001, {}, None, "x"])
def test_batch_holds_1_to_1000_houses(client: TestClient, data: object) -> None:
    reply = client.post(MANY, json={"data": data})

    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["body", "data"]


def test_batch_body_may_be_larger_than_others(start_gateway: StartGateway) -> None:
    client = start_gateway(GATEWAY_MAX_BODY_BYTES="1024", GATEWAY_MAX_BATCH_BODY_BYTES="2048")
    padding = " " * 1500

    assert client.post(ONE, content=json.dumps(HOUSE) + padding, headers=JSON).status_code == 413
    batch = json.dumps({"data": [HOUSE]})
    assert client.post(MANY, content=batch + padding, headers=JSON).status_code == 200
    assert client.post(MANY, content=batch + padding * 2, headers=JSON).status_code == 413


JSON = {"Content-Type": "application/json"}


def test_rejection_by_service_b_is_told_in_the_callers_places(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    stub.behave = answer(422, REJECTION)

    one = client.post(ONE, json=HOUSE)
    many = client.post(MANY, json={"data": make_houses(2)})

    assert [problem["loc"] for problem in one.json()["detail"]] == [["body", "overall_qual"]]
    assert [problem["loc"] for problem in many.json()["detail"]] == [
        ["body", "data", 0, "overall_qual"],
        ["body", "data", 1, "overall_qual"],
    ]
    assert {row["outcome"] for row in read_inputs(log_path)} == {"rejected"}


@pytest.mark.parametrize(("path", "body"), [(ONE, HOUSE), (MANY, {"data": [HOUSE]})])
def test_model_that_predicts_no_price_has_none_for_houses(
    client: TestClient, stub: StubServer, log_path: Path, path: str, body: Any
) -> None:
    stub.behave = answer(200, {"prediction": {"progression": 206.1}})

    reply = client.post(path, json=body)

    assert (reply.status_code, reply.json()) == (503, {"detail": "Service B is unavailable"})
    assert read_inputs(log_path)[0]["prediction"] == '{"progression":206.1}'


@pytest.mark.parametrize(("path", "body"), [(ONE, HOUSE), (MANY, {"data": [HOUSE, HOUSE]})])
def test_houses_are_in_the_log_when_service_b_is_down(
    client: TestClient, stub: StubServer, log_path: Path, path: str, body: Any
) -> None:
    stub.behave = answer(500, b"")

    reply = client.post(path, json=body)

    assert (reply.status_code, reply.json()) == (503, {"detail": "Service B is unavailable"})
    assert reply.headers["Retry-After"] == "5"
    assert {row["outcome"] for row in read_inputs(log_path)} == {"unavailable"}


def test_no_circuit_opens_for_a_server_that_takes_no_batches(
    client: TestClient, stub: StubServer
) -> None:
    def predict_singly(exchange: Exchange) -> None:
        batch = "/predict/batch " in exchange.received.line
        (answer(405, b"") if batch else predict)(exchange)

    stub.behave = predict_singly

    for _ in range(7):  # an open circuit would need five
        reply = client.post(MANY, json={"data": make_houses(3)})
        assert [each["predictedPrice"] for each in reply.json()["predictions"]] == [1.0, 2.0, 3.0]

    assert client.get("/health").json()["circuit_breaker"] == "closed"


def test_example_in_the_documentation_can_be_sent_as_it_is(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]

    assert client.post(ONE, json=schemas["House"]["example"]).status_code == 200
    assert client.post(MANY, json=schemas["PriceBatchRequest"]["example"]).status_code == 200
    assert schemas["House"]["properties"]["id"]["type"] == "integer"
