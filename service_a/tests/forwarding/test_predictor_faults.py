import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors import PredictorUnavailable
from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.predictor_faults import PredictorFaults
from gateway.forwarding.side_calls import SideCalls
from tests.stub_server import REJECTION, StubServer, answer

HANG = {"kind": "hang", "seconds": 3.5}


@pytest.fixture
def faults(stub: StubServer) -> Iterator[PredictorFaults]:
    calls = SideCalls(stub.url, DeadlineAdapter(), None)
    yield PredictorFaults(calls)
    calls.close()


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, {"faults": []}),
        (200, {"faults": [HANG, {**HANG, "ms": 2000.0}, {**HANG, "share": 0.5}]}),
        (404, {"detail": "There is no fault 'x'. The kinds are hang, drip"}),
        (422, REJECTION),
    ],
)
def test_answer_of_service_b_is_passed_on(
    faults: PredictorFaults, stub: StubServer, status: int, content: Any
) -> None:
    stub.behave = answer(status, content)

    given, body = faults.send("PUT", "/faults/x", b"{}")

    assert (given, json.loads(body)) == (status, content)


def test_what_has_no_place_in_an_answer_is_left_out(
    faults: PredictorFaults, stub: StubServer
) -> None:
    stub.behave = answer(200, {"faults": [HANG | {"host": "10.0.0.5"}], "more": 1})

    assert json.loads(faults.send("GET", "/faults")[1]) == {"faults": [HANG]}


def test_problem_is_json_when_service_b_sends_what_json_does_not_have(
    faults: PredictorFaults, stub: StubServer
) -> None:
    problem = b'{"type":"t","loc":["body"],"msg":"m","input":[NaN,1e400]}'
    stub.behave = answer(422, b'{"detail":[%b]}' % problem)

    body = faults.send("PUT", "/faults/x", b"{}")[1]

    assert json.loads(body)["detail"][0]["input"] == [None, None]


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (200, b"<html>", "Invalid JSON"),
        (200, b"\xff", "Invalid JSON"),
        (200, [], "wrong shape"),
        (200, {}, "wrong shape: faults: Field required"),
        (200, {"faults": [HANG] * 101}, "wrong shape: faults"),
        (200, {"faults": [{"kind": "hang"}]}, "wrong shape: faults.0.seconds"),
        (200, {"faults": [HANG | {"kind": "x" * 41}]}, "wrong shape: faults.0.kind"),
        (200, b'{"faults":[{"kind":NaN,"seconds":1}]}', "wrong shape: faults.0.kind"),
        (200, b'{"faults":[{"kind":"x","seconds":NaN}]}', "wrong shape: faults.0.seconds"),
        (200, b'{"faults":[{"kind":"x","seconds":%b}]}' % (b"9" * 4000), "faults.0.seconds"),
        (200, {"faults": [HANG | {"ms": 10_001}]}, "wrong shape: faults.0.ms"),
        (200, {"faults": [HANG | {"share": 2}]}, "wrong shape: faults.0.share"),
        (404, {"error": "upstream http://10.0.0.5:9000/secret failed"}, "detail: Field required"),
        (404, {"detail": []}, "wrong shape: detail"),
        (404, {"detail": "x" * 1001}, "wrong shape: detail"),
        (422, {"detail": "no"}, "wrong shape: detail"),
        (422, {"detail": [{"msg": "m"}]}, "wrong shape: detail.0"),
        (302, {}, "status 302"),
        (401, {"detail": "no"}, "status 401"),
    ],
)
def test_service_b_is_unavailable_when_it_answers_anything_else(
    faults: PredictorFaults, stub: StubServer, status: int, content: Any, reason: str
) -> None:
    stub.behave = answer(status, content)

    with pytest.raises(PredictorUnavailable, match=reason):
        faults.send("GET", "/faults")
