import json
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.intake.read_queue import MAX_EXPORTS
from tests.conftest import StartGateway
from tests.stub_server import REJECTION, StubServer, answer, predict


def process(client: TestClient, data: object, request_id: str = "r1", **more: object) -> int:
    body = {"data": data, **more}
    headers = {"X-Request-ID": request_id}
    return client.post("/process", json=body, headers=headers).status_code


def read(client: TestClient, **parameters: Any) -> list[Any]:
    reply = client.get("/inputs", params=parameters)
    assert reply.status_code == 200
    return [record["data"] for record in reply.json()["inputs"]]


def test_log_is_read_by_page(client: TestClient) -> None:
    for number in range(5):
        process(client, number, forward_to_model=False)

    first = client.get("/inputs?limit=3").json()
    second = client.get("/inputs", params={"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [record["data"] for record in first["inputs"]] == [4, 3, 2]
    assert [record["data"] for record in second["inputs"]] == [1, 0]
    assert second["next_cursor"] is None


def test_data_is_left_out_when_it_is_not_wanted(client: TestClient) -> None:
    process(client, "large", forward_to_model=False)

    (whole,) = client.get("/inputs").json()["inputs"]
    (without,) = client.get("/inputs?data=false").json()["inputs"]

    assert whole == {**without, "data": "large"}


def test_log_is_filtered(client: TestClient, stub: StubServer) -> None:
    process(client, "kept", "r1", forward_to_model=False)
    process(client, "predicted", "r2")
    stub.behave = answer(422, REJECTION)
    process(client, "rejected", "r3")

    assert read(client, outcome="rejected") == ["rejected"]
    assert read(client, request_id="r1") == ["kept"]
    assert read(
        client, received_from="2020-01-01T00:00:00Z", received_before="9999-01-01T00:00:00Z"
    )
    assert read(client, received_before="2020-01-01T00:00:00+02:00") == []


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("data", "some"),
        ("cursor", "x"),
        ("cursor", "\x00"),
        ("outcome", "lost"),
        ("received_from", "2026-01-01T00:00:00"),
        ("received_from", "0001-01-01T00:00:00+14:00"),
        ("received_from", "0.5"),
        ("received_from", "-5"),
        ("received_from", "2.5e-151"),
        ("received_before", "yesterday"),
        ("request_id", ""),
    ],
)
def test_wrong_parameter_is_named(client: TestClient, parameter: str, value: str) -> None:
    reply = client.get("/inputs", params={parameter: value})

    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["query", parameter]


def test_wrong_value_that_is_long_is_not_repeated(client: TestClient) -> None:
    reply = client.get("/inputs", params={"limit": "x" * 5000})

    assert (reply.status_code, len(reply.content) < 500) == (422, True)


def test_one_input_is_read_by_its_request(client: TestClient) -> None:
    process(client, {"a": 1}, "r1")

    record = client.get("/inputs/r1").json()

    assert (record["data"], record["outcome"], record["price"]) == ({"a": 1}, "predicted", 208500.0)
    missing = client.get("/inputs/r2")
    assert missing.status_code == 404
    assert missing.json() == {"detail": "No input of this request is in the log"}


def test_export_writes_a_line_for_each_input(client: TestClient) -> None:
    for number in range(3):
        process(client, number, forward_to_model=False)

    reply = client.get("/inputs/export")

    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line)["data"] for line in reply.text.splitlines()] == [0, 1, 2]
    assert client.get("/inputs/export?outcome=predicted").text == ""


def test_export_beyond_the_most_is_refused_until_one_has_ended(client: TestClient) -> None:
    process(client, 1, forward_to_model=False)
    with ExitStack() as exports:
        for _ in range(MAX_EXPORTS):
            exports.enter_context(client.app.state.read_queue.export())  # type: ignore[attr-defined]
        refused = client.get("/inputs/export")
        assert client.get("/inputs").status_code == 200

    assert refused.status_code == 503
    assert refused.json() == {"detail": "Too many exports are under way"}
    assert refused.headers["Retry-After"] == "5"
    statuses = [client.get("/inputs/export").status_code for _ in range(MAX_EXPORTS + 1)]
    assert set(statuses) == {200}


def test_reading_says_so_when_the_log_can_not_be_used(start_gateway: StartGateway) -> None:
    client = start_gateway(INPUT_LOG_URL="sqlite:////dev/null/inputs.db")

    for path in ("/inputs", "/inputs/r1", "/inputs/export"):
        reply = client.get(path)
        assert (reply.status_code, reply.json()) == (503, {"detail": "Input log is unavailable"})
    assert client.post("/inputs/replay").status_code == 503


def test_unavailable_inputs_are_forwarded_again(client: TestClient, stub: StubServer) -> None:
    stub.behave = answer(500, b"")
    houses = [{"id": 1}, {"id": 2}, {"id": 3}]
    assert [process(client, house, f"r{house['id']}") for house in houses] == [503] * 3
    process(client, "kept", forward_to_model=False)
    stub.received.clear()
    stub.behave = predict

    first = client.post("/inputs/replay?limit=2").json()
    second = client.post("/inputs/replay").json()
    third = client.post("/inputs/replay").json()

    assert first == {"predicted": 2, "rejected": 0, "unavailable": 0}
    assert second == {"predicted": 1, "rejected": 0, "unavailable": 0}
    assert third == {"predicted": 0, "rejected": 0, "unavailable": 0}
    bodies = [json.loads(request.body) for request in stub.received]
    assert bodies == [{"inputs": houses[:2]}, {"input": houses[2]}]
    assert stub.received[0].headers["X-Request-ID"] == "r1,r2"
    record = client.get("/inputs/r2").json()
    assert (record["outcome"], record["price"]) == ("predicted", 2.0)
    assert [attempt["outcome"] for attempt in record["earlier_attempts"]] == ["unavailable"]


def test_replay_ends_early_when_service_b_is_still_down(
    client: TestClient, stub: StubServer
) -> None:
    stub.behave = answer(500, b"")
    for number in range(3):
        process(client, number, f"r{number}")

    reply = client.post("/inputs/replay?limit=10000")

    assert reply.json() == {"predicted": 0, "rejected": 0, "unavailable": 3}
    record = client.get("/inputs/r0").json()
    assert record["outcome"] == "unavailable"
    assert len(record["earlier_attempts"]) == 1


def test_replay_of_nothing_is_no_probe(
    start_gateway: StartGateway, stub: StubServer, log_path: Path
) -> None:
    client = start_gateway(GATEWAY_BREAKER_FAILURES="1", GATEWAY_BREAKER_WINDOW_SECONDS="0.001")
    stub.behave = answer(500, b"")
    process(client, 1)
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("DELETE FROM inputs")

    client.post("/inputs/replay")

    assert client.get("/health").json()["circuit_breaker"] == "open"


def test_rejection_ends_the_replays_of_an_input(client: TestClient, stub: StubServer) -> None:
    stub.behave = answer(500, b"")
    process(client, 1)
    stub.behave = answer(422, REJECTION)

    assert client.post("/inputs/replay").json()["rejected"] == 1
    assert client.post("/inputs/replay").json()["rejected"] == 0


def test_replay_asks_the_model_that_was_asked_first(client: TestClient, stub: StubServer) -> None:
    stub.behave = answer(500, b"")
    process(client, 1, model="california")
    stub.behave = predict

    client.post("/inputs/replay")

    assert stub.received[-1].line.startswith("POST /models/california/predict ")


def test_input_is_logged_as_unavailable_at_once_while_the_circuit_is_open(
    start_gateway: StartGateway, stub: StubServer
) -> None:
    client = start_gateway(GATEWAY_BREAKER_FAILURES="1", GATEWAY_BREAKER_WINDOW_SECONDS="3600")
    stub.behave = answer(500, b"")
    process(client, 1)

    assert process(client, 2, "r2") == 503

    assert len(stub.received) == 1
    record = client.get("/inputs/r2").json()
    assert (record["outcome"], record["duration_ms"]) == ("unavailable", None)
    assert client.post("/inputs/replay").json() == {"predicted": 0, "rejected": 0, "unavailable": 2}
    assert len(stub.received) == 1
    assert client.get("/inputs/r2").json() == {**record, "earlier_attempts": []}


def test_outcome_is_in_the_log_as_soon_as_its_caller_has_the_answer(client: TestClient) -> None:
    for number in range(20):
        request_id = f"r{number}"
        client.post("/process", json={"data": number}, headers={"X-Request-ID": request_id})

        assert client.get(f"/inputs/{request_id}").json()["outcome"] == "predicted"
