from collections.abc import Iterator
from typing import Any

import pytest

from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.predictor_state import read_predictor_state
from gateway.forwarding.side_calls import SideCalls
from tests.stub_server import Exchange, StubServer, answer

ANSWERS: dict[str, tuple[int, Any]] = {
    "/health": (200, {"status": "healthy"}),
    "/models": (200, {"models": [{"name": "ames", "version": "2", "default": True}]}),
    "/faults": (200, {"faults": [{"kind": "hang", "seconds": 3.0}]}),
}
UNREACHABLE: dict[str, Any] = {"status": "unreachable", "models": [], "faults": []}


@pytest.fixture
def calls(stub: StubServer) -> Iterator[SideCalls]:
    calls = SideCalls(stub.url, DeadlineAdapter(), None)
    yield calls
    calls.close()


def answer_by_path(stub: StubServer, **others: tuple[int, Any]) -> None:
    answers = ANSWERS | {f"/{name}": each for name, each in others.items()}

    def behave(exchange: Exchange) -> None:
        answer(*answers[exchange.received.line.split()[1]])(exchange)

    stub.behave = behave


def test_state_has_health_versions_and_faults(calls: SideCalls, stub: StubServer) -> None:
    faults = [{"kind": "hang", "seconds": 3.0}, {"kind": "delay", "seconds": 0.5, "ms": 20.0}]
    answer_by_path(stub, faults=(200, {"faults": faults}))

    assert read_predictor_state(calls, with_faults=True) == {
        "status": "healthy",
        "models": [{"name": "ames", "version": "2"}],
        "faults": faults,
    }


@pytest.mark.parametrize(
    "faults",
    [
        b'{"faults":[{"kind":NaN,"seconds":1}]}',
        b'{"faults":[{"kind":"hang","seconds":NaN}]}',
        {"faults": [{"kind": "x" * 41, "seconds": 1}]},
    ],
)
def test_nobody_is_shown_faults_of_another_shape(
    calls: SideCalls, stub: StubServer, faults: Any
) -> None:
    answer_by_path(stub, faults=(200, faults))

    assert read_predictor_state(calls, with_faults=True)["faults"] == []


@pytest.mark.parametrize(
    "models",
    [
        [{"name": "x" * 201, "version": "1"}],
        [{"name": "x", "version": "1" * 201}],
        [{"name": "x", "version": "1"}] * 1001,
    ],
)
def test_nobody_is_shown_models_that_no_page_has_room_for(
    calls: SideCalls, stub: StubServer, models: Any
) -> None:
    answer_by_path(stub, models=(200, {"models": models}))

    assert read_predictor_state(calls, with_faults=True)["models"] == []


def test_service_b_without_a_model_and_without_faults_is_unhealthy(
    calls: SideCalls, stub: StubServer
) -> None:
    models = {"models": [{"name": "ames", "version": None}]}
    answer_by_path(stub, health=(503, {}), models=(200, models), faults=(404, {"detail": "?"}))

    assert read_predictor_state(calls, with_faults=True) == {
        "status": "unhealthy",
        **models,
        "faults": [],
    }


def test_faults_are_not_asked_for_where_there_can_be_none(
    calls: SideCalls, stub: StubServer
) -> None:
    answer_by_path(stub)

    assert read_predictor_state(calls, with_faults=False)["faults"] == []
    assert "/faults" not in [each.line.split()[1] for each in stub.received]


@pytest.mark.parametrize("models", [(200, b"<html>"), (200, {"models": "all"}), (404, {})])
def test_other_model_server_has_only_a_health(
    calls: SideCalls, stub: StubServer, models: tuple[int, Any]
) -> None:
    answer_by_path(stub, models=models, faults=models)

    assert read_predictor_state(calls, with_faults=True) == {
        "status": "healthy",
        "models": [],
        "faults": [],
    }


def test_whatever_has_no_health_is_unreachable(calls: SideCalls, stub: StubServer) -> None:
    answer_by_path(stub, health=(404, {}), models=(404, {}), faults=(404, {}))

    assert read_predictor_state(calls, with_faults=True) == UNREACHABLE


def test_service_b_that_is_gone_is_unreachable(free_port: int) -> None:
    calls = SideCalls(f"http://127.0.0.1:{free_port}", DeadlineAdapter(), None)

    assert read_predictor_state(calls, with_faults=True) == UNREACHABLE
