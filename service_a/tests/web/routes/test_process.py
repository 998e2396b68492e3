import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from gateway.web.schemas import EXAMPLE_HOUSE
from tests.conftest import StartGateway
from tests.log_file import read_inputs
from tests.stub_server import PREDICTION, REJECTION, Behaviour, Exchange, StubServer, answer, hang

pytestmark = pytest.mark.usefixtures("plain")

JSON = {"Content-Type": "application/json"}
LOGGED = {"status": "Input logged successfully"}
UNAVAILABLE = {"detail": "Service B is unavailable"}
NOT_LOGGED = {"detail": "Input could not be logged"}


def test_answer_says_only_that_it_is_logged_when_nothing_is_forwarded(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    reply = client.post("/process", json={"data": {"a": 1}, "forward_to_model": False})

    assert (reply.status_code, reply.json()) == (200, LOGGED)
    assert stub.received == []
    (row,) = read_inputs(log_path)
    assert (row["data"], row["outcome"]) == ('{"a":1}', "logged")


def test_answer_holds_service_bs_own_when_the_input_is_forwarded(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    reply = client.post("/process", json={"data": EXAMPLE_HOUSE}, headers={"X-Request-ID": "r1"})

    assert (reply.status_code, reply.json()) == (200, {**LOGGED, "model_prediction": PREDICTION})
    assert reply.headers["X-Request-ID"] == "r1"
    assert stub.received[0].headers["X-Request-ID"] == "r1"
    assert json.loads(stub.received[0].body) == {"input": EXAMPLE_HOUSE}
    (row,) = read_inputs(log_path)
    assert row["request_id"] == "r1"
    assert json.loads(row["data"]) == EXAMPLE_HOUSE
    assert (row["outcome"], row["price"], row["model_version"]) == ("predicted", 208500.0, "1")
    assert row["duration_ms"] > 0


def test_input_is_committed_before_it_is_forwarded(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    seen: list[dict[str, Any]] = []

    def read_log_first(exchange: Exchange) -> None:
        seen.extend(read_inputs(log_path, settled=False))
        answer(200, PREDICTION)(exchange)

    stub.behave = read_log_first
    client.post("/process", json={"data": "x"}, headers={"X-Request-ID": "r1"})

    (row,) = seen
    assert (row["request_id"], row["data"], row["outcome"]) == ("r1", '"x"', "pending")


def test_rejection_by_service_b_is_passed_on_in_the_callers_places(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    stub.behave = answer(422, REJECTION)

    reply = client.post("/process", json={"data": {"overall_qual": 99}})

    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["body", "data", "overall_qual"]
    assert reply.json()["detail"][0]["input"] == 99
    assert read_inputs(log_path)[0]["outcome"] == "rejected"


FAILURES: dict[str, Behaviour] = {
    "500": answer(500, {"detail": "Traceback: /srv/secret.py"}),
    "no model": answer(503, {"detail": "Model is not available"}),
    "HTML": answer(200, b"<html>secret</html>"),
    "wrong shape": answer(200, {"prediction": {"price": "secret"}}),
    "redirect": answer(302, b"", "Location: http://secret.example.org/"),
    "hang": hang,
}


@pytest.mark.parametrize("behaviour", FAILURES.values(), ids=FAILURES.keys())
def test_caller_is_told_to_try_later_and_nothing_else_when_service_b_fails(
    start_gateway: StartGateway, stub: StubServer, log_path: Path, behaviour: Behaviour
) -> None:
    client = start_gateway(GATEWAY_FORWARD_TIMEOUT_SECONDS="0.3")
    stub.behave = behaviour

    reply = client.post("/process", json={"data": {"a": 1}})

    assert (reply.status_code, reply.json()) == (503, UNAVAILABLE)
    assert int(reply.headers["Retry-After"]) > 0
    told = f"{reply.headers} {reply.text}"
    assert "secret" not in told
    assert str(stub.server_address[1]) not in told
    (row,) = read_inputs(log_path)
    assert (row["data"], row["outcome"], row["price"]) == ('{"a":1}', "unavailable", None)


def test_caller_is_told_to_try_later_when_nothing_listens(
    start_gateway: StartGateway, log_path: Path, free_port: int
) -> None:
    client = start_gateway(SERVICE_B_URL=f"http://127.0.0.1:{free_port}/predict")

    reply = client.post("/process", json={"data": 1})

    assert (reply.status_code, reply.json()) == (503, UNAVAILABLE)
    assert str(free_port) not in f"{reply.headers} {reply.text}"
    assert read_inputs(log_path)[0]["outcome"] == "unavailable"


def test_everybody_gets_an_answer_of_their_own_when_many_come_at_once(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    def predict_number(exchange: Exchange) -> None:
        body = json.loads(exchange.received.body)
        results = [
            {"prediction": {"price": number}, "message": "m"}
            for number in body.get("inputs") or [body["input"]]
        ]
        answer(200, {"results": results} if "inputs" in body else results[0])(exchange)

    stub.behave = predict_number
    prices: dict[int, float] = {}

    def ask(number: int) -> None:
        reply = client.post("/process", json={"data": number})
        prices[number] = reply.json()["model_prediction"]["prediction"]["price"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 41)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert prices == {number: number for number in range(1, 41)}
    assert {int(row["data"]): row["price"] for row in read_inputs(log_path)} == prices


# The log


@pytest.mark.usefixtures("short_wait_for_locks")
def test_nothing_is_forwarded_when_the_log_can_not_be_written(
    client: TestClient, stub: StubServer, log_path: Path
) -> None:
    client.get("/health")
    with closing(sqlite3.connect(log_path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        reply = client.post("/process", json={"data": 1})

    assert (reply.status_code, reply.json()) == (503, NOT_LOGGED)
    assert int(reply.headers["Retry-After"]) > 0
    assert stub.received == []


def test_input_is_not_in_the_log_lines_when_it_could_not_be_logged(
    capsys: pytest.CaptureFixture[str], start_gateway: StartGateway, log_path: Path
) -> None:
    client = start_gateway()
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("DROP TABLE inputs")

    reply = client.post("/process", json={"data": "private"})

    assert reply.json() == NOT_LOGGED
    lines = capsys.readouterr().out
    assert "no such table: inputs" in lines
    assert "private" not in lines


def test_gateway_logs_again_without_a_restart_when_it_can(
    start_gateway: StartGateway, stub: StubServer, log_path: Path
) -> None:
    log_path.parent.write_text("a file in the folder's place")
    client = start_gateway()
    assert client.post("/process", json={"data": 1}).json() == NOT_LOGGED
    assert client.get("/health").status_code == 503
    assert stub.received == []

    log_path.parent.unlink()

    assert client.post("/process", json={"data": 2}).status_code == 200
    assert client.get("/health").status_code == 200
    assert [row["data"] for row in read_inputs(log_path)] == ["2"]


def test_prediction_is_passed_on_when_only_its_outcome_could_not_be_logged(
    capsys: pytest.CaptureFixture[str],
    start_gateway: StartGateway,
    stub: StubServer,
    log_path: Path,
) -> None:
    client = start_gateway()

    def refuse_outcomes(exchange: Exchange) -> None:
        with closing(sqlite3.connect(log_path)) as connection, connection:
            connection.execute(
                "CREATE TRIGGER refuse BEFORE UPDATE ON inputs "
                "BEGIN SELECT RAISE(ABORT, 'no updates'); END"
            )
        answer(200, PREDICTION)(exchange)

    stub.behave = refuse_outcomes

    reply = client.post("/process", json={"data": 1})

    assert reply.json()["model_prediction"] == PREDICTION
    client.get("/inputs")  # waits for the log
    assert read_inputs(log_path, settled=False)[0]["outcome"] == "pending"
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "no updates" in line]
    assert 'event="outcomes could not be logged"' in line


# Any input

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=20,
)


@given(value=json_values.filter(lambda value: value is not None), ascii_only=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_in_the_log_as_it_was_sent(
    client: TestClient, log_path: Path, value: Any, ascii_only: bool
) -> None:
    body = json.dumps({"data": value, "forward_to_model": False}, ensure_ascii=ascii_only)

    reply = client.post("/process", content=body.encode(), headers=JSON)

    assert (reply.status_code, reply.json()) == (200, LOGGED)
    logged = read_inputs(log_path)[-1]["data"]
    assert logged == json.dumps(value, ensure_ascii=ascii_only)


@pytest.mark.parametrize("forward", ["true", "false"])
def test_numbers_are_logged_and_forwarded_as_they_were_sent(
    client: TestClient, stub: StubServer, log_path: Path, forward: str
) -> None:
    data = '{"a": [0.1234567890123456789, -0, 1.10, 1E5], "b": 123456789012345678901234567890}'
    body = f'{{"forward_to_model": {forward},\n  "data": {data}}}'

    client.post("/process", content=body, headers={**JSON, "X-Request-ID": "r1"})

    assert read_inputs(log_path)[0]["data"] == data
    assert data in client.get("/inputs/r1").text
    assert [exchange.body.decode() for exchange in stub.received] == (
        [f'{{"input":{data}}}'] if forward == "true" else []
    )


def test_input_of_many_lines_is_one_line_of_the_export(client: TestClient) -> None:
    body = json.dumps({"data": {"a": ["b\n c", 1]}, "forward_to_model": False}, indent="\t")

    client.post("/process", content=body.replace("\n", "\r\n"), headers=JSON)

    (line,) = client.get("/inputs/export").text.splitlines()
    assert json.loads(line)["data"] == {"a": ["b\n c", 1]}


@given(body=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_gets_an_answer_that_says_what_was_expected(
    client: TestClient, body: bytes
) -> None:
    reply = client.post("/process", content=body, headers=JSON)

    assert reply.status_code == 422
    assert all(problem["loc"][0] == "body" and problem["msg"] for problem in reply.json()["detail"])


def nest(levels: int) -> bytes:
    return b'{"data":' + b"[" * levels + b"]" * levels + b"}"


# The body, the status, where the problem is, and a part of what the caller is told.
ODD_BODIES: dict[str, tuple[bytes, int, list[str], str]] = {
    "NaN": (b'{"data": NaN}', 422, ["body"], "not valid JSON: expected value"),
    "Infinity": (b'{"data": Infinity}', 422, ["body"], "not valid JSON: expected value"),
    "-Infinity": (b'{"data": -Infinity}', 422, ["body"], "not valid JSON: invalid number"),
    "1e400": (b'{"data": 1e400}', 422, ["body", "data"], "beyond the range of a 64-bit float"),
    "-1e400 inside": (b'{"data": {"a": [-1e400]}}', 422, ["body", "data"], "64-bit float"),
    "1e400 as a field": (b'{"data": 1, "x": 1e400}', 422, ["body", "x"], "Unknown field"),
    "lone surrogate": (b'{"data": "\\ud800"}', 422, ["body"], "not valid JSON"),
    "surrogate in UTF-8": (b'{"data": "\xed\xa0\x80"}', 422, ["body"], "invalid unicode"),
    "5,000 digits": (b'{"data": %b}' % (b"9" * 5000), 422, ["body"], "number out of range"),
    "nesting": (nest(40_000), 422, ["body"], "recursion limit exceeded"),
    "nesting of objects": (b'{"data":' * 40_000, 422, ["body"], "recursion limit exceeded"),
    "duplicate key": (b'{"data": 1, "data": 2}', 422, ["body"], 'duplicate key "data"'),
    "duplicate key inside": (
        b'{"data": {"a": 1, "\\u0061": 2}}',
        422,
        ["body"],
        'duplicate key "a"',
    ),
    "invalid UTF-8": (b'{"data": "\xff"}', 422, ["body"], "invalid unicode"),
    "UTF-16": ('{"data": 1}'.encode("utf-16"), 422, ["body"], "expected value"),
    "empty": (b"", 422, ["body"], "The body is empty, a JSON object was expected"),
    "blank": (b" \n", 422, ["body"], "not valid JSON"),
    "list": (b'[{"data": 1}]', 422, ["body"], "Input should be a JSON object"),
    "string": (b'"data"', 422, ["body"], "Input should be a JSON object"),
    "number": (b"1", 422, ["body"], "Input should be a JSON object"),
    "null": (b"null", 422, ["body"], "Input should be a JSON object"),
    "null as data": (b'{"data": null}', 422, ["body", "data"], "any JSON but null"),
    "no data": (b'{"forward_to_model": true}', 422, ["body", "data"], "Field required"),
    "number as a boolean": (
        b'{"data": 1, "forward_to_model": 1}',
        422,
        ["body", "forward_to_model"],
        "Input should be a valid boolean",
    ),
    "string as a boolean": (
        b'{"data": 1, "forward_to_model": "true"}',
        422,
        ["body", "forward_to_model"],
        "Input should be a valid boolean",
    ),
    "unknown field": (b'{"data": 1, "forward": true}', 422, ["body", "forward"], "Unknown field"),
    "two values": (b'{"data": 1} {"data": 2}', 422, ["body"], "trailing characters"),
    "form": (b"data=1", 422, ["body"], "not valid JSON"),
}


def test_odd_body_is_refused_with_what_was_expected(client: TestClient, stub: StubServer) -> None:
    for name, (body, status, loc, message) in ODD_BODIES.items():
        reply = client.post("/process", content=body, headers=JSON)

        assert reply.status_code == status, name
        (problem,) = reply.json()["detail"]
        assert problem["loc"] == loc, name
        assert message in problem["msg"], name
        assert stub.received == [], name


@pytest.mark.parametrize(
    "data",
    [b"true", b'"a string"', b"[]", b"[1]", b"0", b'{"overall_qual": true}', b"9" * 4300],
    ids=lambda data: str(data[:20]),
)
def test_input_that_only_service_b_refuses_is_in_the_log(
    client: TestClient, stub: StubServer, log_path: Path, data: bytes
) -> None:
    stub.behave = answer(422, {"detail": [{"type": "t", "loc": ["body", "input"], "msg": "m"}]})

    reply = client.post("/process", content=b'{"data": %b}' % data, headers=JSON)

    assert reply.status_code == 422
    (row,) = read_inputs(log_path)
    assert json.loads(row["data"]) == json.loads(data)
    assert row["outcome"] == "rejected"


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_body_is_refused_when_it_is_not_declared_as_json(
    client: TestClient, stub: StubServer, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    reply = client.post("/process", content=b'{"data": 1}', headers=headers)

    assert reply.status_code == 415
    assert reply.json() == {"detail": "Content-Type must be application/json"}
    assert stub.received == []


def test_body_of_1_mib_is_logged_and_one_byte_more_is_refused(
    client: TestClient, log_path: Path
) -> None:
    def send(size: int) -> Any:
        frame = b'{"forward_to_model":false,"data":"%b"}'
        text = b"x" * (size - len(frame % b""))
        return client.post("/process", content=frame % text, headers=JSON)

    assert send(1024 * 1024).json() == LOGGED
    reply = send(1024 * 1024 + 1)
    assert reply.status_code == 413
    assert reply.json() == {"detail": "The body is over the limit of 1048576 bytes"}
    assert len(read_inputs(log_path)) == 1


def test_other_methods_and_paths_get_an_id_as_well(client: TestClient) -> None:
    for reply, status in [(client.get("/process"), 405), (client.post("/nowhere"), 404)]:
        assert reply.status_code == status
        assert reply.headers["X-Request-ID"]


def test_example_in_the_documentation_can_be_sent_as_it_is(
    client: TestClient, stub: StubServer
) -> None:
    schema = client.get("/openapi.json").json()["components"]["schemas"]["ProcessRequest"]

    reply = client.post("/process", json=schema["example"])

    assert reply.status_code == 200
    assert json.loads(stub.received[0].body) == {"input": EXAMPLE_HOUSE}


def test_body_that_those_of_others_leave_no_room_for_is_to_come_later(client: TestClient) -> None:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["over_budget"] = True
        await client.app(scope, receive, send)

    reply = TestClient(call).post("/process", json={"data": 1})

    assert (reply.status_code, reply.json()) == (503, {"detail": "Too much is under way"})
    assert reply.headers["Retry-After"] == "5"


def test_body_that_does_not_arrive_in_time_is_408(client: TestClient) -> None:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["late"] = True
        await client.app(scope, receive, send)

    reply = TestClient(call).post("/process", json={"data": 1})

    assert (reply.status_code, reply.json()) == (
        408,
        {"detail": "The body did not arrive in time"},
    )
    assert reply.headers["Connection"] == "close"
