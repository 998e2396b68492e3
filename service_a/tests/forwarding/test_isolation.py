import random
from collections.abc import Callable, Sequence

import pytest

from gateway.errors import (
    BatchFailed,
    GatewayError,
    InputRejected,
    PredictorTimeout,
    PredictorUnavailable,
)
from gateway.forwarding.circuit_breaker import CircuitBreaker, CircuitState
from gateway.forwarding.isolation import Isolation
from gateway.intake.entries import Answer, Forward

Results = list[Answer | GatewayError]


class FakePredictor:
    """Fails at a call that holds a bad input, and rejects what is rejected. Notes its calls."""

    def __init__(self, bad: set[int], max_inputs: int = 1000) -> None:
        self._bad = bad
        self._max_inputs = max_inputs
        self.calls: list[list[int]] = []

    def __call__(self, forwards: Sequence[Forward]) -> Results | None:
        numbers = [int(forward.data) for forward in forwards]
        self.calls.append(numbers)
        if len(numbers) > self._max_inputs:
            return None
        if self._bad.intersection(numbers):
            raise (PredictorUnavailable if len(numbers) == 1 else BatchFailed)("status 500")
        return [Answer(forward.data, 1.0, "1") for forward in forwards]


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker(failures_to_open=5, window_seconds=3600)


def make_forwards(count: int) -> list[Forward]:
    return [Forward(b"%d" % number, f"r{number}") for number in range(count)]


def find_answered(results: Results) -> list[int]:
    return [
        number
        for number, result in enumerate(results)
        if isinstance(result, Answer) and int(result.body) == number
    ]


@pytest.mark.parametrize("count", [2, 3, 32, 100])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.8])
def test_only_what_service_b_fails_at_has_no_answer(
    breaker: CircuitBreaker, count: int, share: float
) -> None:
    dice = random.Random(count)
    bad = {number for number in range(count) if dice.random() < share} | {1}
    predictor = FakePredictor(bad)

    results = Isolation(predictor, breaker).run(make_forwards(count))

    assert find_answered(results) == sorted(set(range(count)) - bad)
    assert all(isinstance(results[number], PredictorUnavailable) for number in bad)
    assert len({id(result) for result in results}) == count  # each caller raises one of its own
    assert breaker.state is CircuitState.CLOSED


def test_few_calls_find_a_single_one(breaker: CircuitBreaker) -> None:
    predictor = FakePredictor({77})

    Isolation(predictor, breaker).run(make_forwards(256))

    assert len(predictor.calls) == 2 * 8


def test_others_are_answered_when_one_caller_has_many_bad_inputs(breaker: CircuitBreaker) -> None:
    predictor = FakePredictor(set(range(100)))

    results = Isolation(predictor, breaker).run(make_forwards(110))

    assert find_answered(results) == list(range(100, 110))


def test_half_that_is_too_much_for_one_call_is_halved(breaker: CircuitBreaker) -> None:
    results = Isolation(FakePredictor({9}, max_inputs=4), breaker).run(make_forwards(32))

    assert find_answered(results) == [number for number in range(32) if number != 9]


def test_it_is_given_up_and_counts_as_one_failure_when_service_b_fails_at_everything(
    breaker: CircuitBreaker,
) -> None:
    predictor = FakePredictor(set(range(500)))
    for calls in range(4):
        Isolation(predictor, breaker).run(make_forwards(500))
        assert breaker.state is CircuitState.CLOSED
        assert len(predictor.calls) < 50 * (calls + 1)

    Isolation(predictor, breaker).run(make_forwards(500))

    assert breaker.state is CircuitState.OPEN


def test_no_call_is_made_when_the_circuit_has_opened(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        breaker.record_failure()
    predictor = FakePredictor({0})

    results = Isolation(predictor, breaker).run(make_forwards(4))

    assert {str(result) for result in results} == {"the circuit is open"}
    assert predictor.calls == []


def fail_first(error: PredictorUnavailable) -> Callable[[Sequence[Forward]], Results]:
    calls = 0

    def call(forwards: Sequence[Forward]) -> Results:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise error
        return [InputRejected([]) for _ in forwards]

    return call


def test_others_are_asked_for_when_one_call_fails_in_another_way(breaker: CircuitBreaker) -> None:
    call = fail_first(PredictorUnavailable("reset"))

    results = Isolation(call, breaker).run(make_forwards(4))

    assert [type(result) for result in results] == [PredictorUnavailable, InputRejected] * 2


def test_it_ends_when_no_time_is_left(breaker: CircuitBreaker) -> None:
    results = Isolation(fail_first(PredictorTimeout("late")), breaker).run(make_forwards(4))

    assert [type(result) for result in results] == [PredictorTimeout] * 4
