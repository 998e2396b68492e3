import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.telemetry.log_lines import LineHandler
from gateway.web.schemas import HOUSE
from tests.conftest import StartGateway
from tests.log_file import read_inputs
from tests.stub_server import StubServer, predict


def process(client: TestClient, request_id: str = "r1", **more: object) -> None:
    client.post("/process", json={"data": 1, **more}, headers={"X-Request-ID": request_id})


def report(client: TestClient, *actuals: object) -> tuple[int, Any]:
    reply = client.post("/actuals", json={"actuals": actuals})
    return reply.status_code, reply.json()


def test_actual_prices_are_recorded_and_unknown_inputs_listed(client: TestClient) -> None:
    process(client, "r1")
    process(client, "r2")

    answer = report(
        client,
        {"number": 1, "price": 215000.0},
        {"request_id": "r2", "price": 198500},
        {"request_id": "r3", "price": 1},
        {"number": 99, "price": 1},
    )

    assert answer == (200, {"recorded": 2, "unknown": [{"request_id": "r3"}, {"number": 99}]})
    record = client.get("/inputs/r2").json()
    assert (record["price"], record["actual_price"]) == (208500.0, 198500.0)
    assert (record["interval_lower"], record["interval_upper"]) == (189000.0, 230000.0)
    assert record["actual_at"] > record["outcome_at"]


def test_export_and_page_have_the_same_fields_as_the_record(client: TestClient) -> None:
    process(client)
    report(client, {"number": 1, "price": 1.5})

    record = client.get("/inputs/r1").json()
    assert record.pop("earlier_attempts") == []
    assert json.loads(client.get("/inputs/export").text) == record
    assert client.get("/inputs").json()["inputs"] == [record]
    assert record["actual_price"] == 1.5


def test_inputs_of_a_batch_are_named_by_their_numbers(client: TestClient, stub: StubServer) -> None:
    stub.behave = predict
    houses = [{**HOUSE, "id": number} for number in (1, 2)]
    client.post(
        "/api/v1/price/predict/batch", json={"data": houses}, headers={"X-Request-ID": "r1"}
    )

    status, refusal = report(client, {"request_id": "r1", "price": 1})
    assert status == 422
    (problem,) = refusal["detail"]
    assert problem["loc"] == ["body", "actuals", 0, "request_id"]
    assert "2 inputs" in problem["msg"]

    rows = client.get("/inputs?request_id=r1").json()["inputs"]
    actuals = [{"number": row["number"], "price": 3} for row in rows]
    assert report(client, *actuals) == (200, {"recorded": 2, "unknown": []})


JSON = {"Content-Type": "application/json"}
GOOD = b'{"number": 1, "price": 2}'


# A price, and where what is wrong with it is.
WRONG_PRICES: list[tuple[bytes, list[str]]] = [
    (b'{"number": 1, "price": 0}', ["price"]),
    (b'{"number": 1, "price": -5}', ["price"]),
    (b'{"number": 1, "price": 1e400}', ["price"]),
    (b'{"number": 1, "price": 1e16}', ["price"]),
    (b'{"number": 1, "price": 1' + b"0" * 400 + b"}", ["price"]),
    (b'{"number": 1, "price": 1e-300}', ["price"]),
    (b'{"number": 1, "price": "5"}', ["price"]),
    (b'{"number": 1, "price": true}', ["price"]),
    (b'{"number": 1, "price": null}', ["price"]),
    (b'{"number": 1}', ["price"]),
    (b'{"price": 1}', []),
    (b'{"number": 1, "request_id": "r1", "price": 1}', []),
    (b'{"number": 0, "price": 1}', ["number"]),
    (b'{"number": 1.5, "price": 1}', ["number"]),
    (b'{"number": "1", "price": 1}', ["number"]),
    (b'{"number": true, "price": 1}', ["number"]),
    (b'{"number": 9223372036854775808, "price": 1}', ["number"]),
    (b'{"request_id": "", "price": 1}', ["request_id"]),
    (b'{"request_id": "a b", "price": 1}', ["request_id"]),
    (b'{"number": 1, "price": 1, "prize": 1}', ["prize"]),
    (b"5", []),
    (b'{"request_id": "r1", "price": 5}', ["request_id"]),
    (b'{"request_id": "kept", "price": 5}', ["request_id"]),
]


def test_wrong_price_is_named_and_nothing_is_recorded(client: TestClient) -> None:
    process(client, "r1")
    process(client, "kept", forward_to_model=False)

    for actual, place in WRONG_PRICES:
        reply = client.post(
            "/actuals",
            content=b'{"actuals": [%b, %b]}' % (GOOD, actual),
            headers=JSON,
        )

        assert reply.status_code == 422, actual
        places = [each["loc"] for each in reply.json()["detail"]]
        assert places == [["body", "actuals", 1, *place]], actual
        assert client.get("/inputs/r1").json()["actual_price"] is None, actual


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"actuals": [{"number": 1, "price": NaN}]}', ["body"]),
        (b'{"actuals": []}', ["body", "actuals"]),
        (b'{"actuals": [' + b",".join([GOOD] * 1001) + b"]}", ["body", "actuals"]),
        (b'{"actuals": {}}', ["body", "actuals"]),
        (b'{"actual": [%b]}' % GOOD, ["body", "actuals"]),
        (b"[]", ["body"]),
    ],
)
def test_wrong_body_is_refused(client: TestClient, body: bytes, place: list[str]) -> None:
    reply = client.post("/actuals", content=body, headers=JSON)

    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == place


def test_price_is_refused_with_503_while_the_log_can_not_be_written(
    client: TestClient, log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(client)
    client.get("/inputs/r1")
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE OF actual_price ON inputs "
            "BEGIN SELECT RAISE(ABORT, 'full'); END"
        )

    outcomes = []

    def note(_: LineHandler, *line: Any) -> None:
        outcomes.append(line[-1]["outcome"])

    monkeypatch.setattr(LineHandler, "write_request", note)
    reply = client.post("/actuals", content=b'{"actuals": [%b]}' % GOOD, headers=JSON)

    assert reply.status_code == 503
    assert reply.json() == {"detail": "Actual prices could not be recorded"}
    assert reply.headers["Retry-After"] == "5"
    assert read_inputs(log_path)[0]["actual_price"] is None
    assert outcomes == ["not recorded"]


def test_log_that_can_not_be_opened_is_said_in_the_same_words(start_gateway: StartGateway) -> None:
    client = start_gateway(INPUT_LOG_URL="sqlite:////dev/null/inputs.db")

    assert report(client, {"number": 1, "price": 1}) == (
        503,
        {"detail": "Actual prices could not be recorded"},
    )
