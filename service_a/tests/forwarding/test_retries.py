import math
import random
from collections.abc import Callable

import pytest

from gateway.errors import BatchFailed, PredictorTimeout, PredictorUnavailable
from gateway.forwarding.circuit_breaker import CircuitBreaker, CircuitState
from gateway.forwarding.retries import Retries, RetryBudget
from tests.fake_clock import FakeClock


class FakeCall:
    """Ends as told, one outcome for each call; the last one stays."""

    def __init__(self, *outcomes: Exception | str) -> None:
        self.outcomes = list(outcomes)
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


FAILURE = PredictorUnavailable("status 500")


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker(failures_to_open=3, window_seconds=3600)


@pytest.fixture
def run(breaker: CircuitBreaker) -> Callable[[FakeCall], str]:
    """Make a call with a budget that has been earned."""
    budget = RetryBudget(share=0.2, window_seconds=3600)
    for _ in range(50):
        budget.count_call()
    retries = Retries(breaker, budget)
    return lambda call: retries.run(call, math.inf)


Run = Callable[[FakeCall], str]


def test_answer_is_returned_at_once_when_there_is_one(run: Run) -> None:
    call = FakeCall("answer")

    assert (run(call), call.count) == ("answer", 1)


def test_failed_call_is_made_once_more(run: Run) -> None:
    call = FakeCall(FAILURE, "answer")

    assert (run(call), call.count) == ("answer", 2)


def test_call_is_given_up_when_it_failed_twice(run: Run) -> None:
    call = FakeCall(FAILURE)

    with pytest.raises(PredictorUnavailable):
        run(call)

    assert call.count == 2


def test_timeout_is_not_tried_again(run: Run) -> None:
    call = FakeCall(PredictorTimeout("too late"), "answer")

    with pytest.raises(PredictorTimeout):
        run(call)

    assert call.count == 1


def test_batch_at_which_service_b_failed_is_not_tried_again_and_shows_nothing_of_it(
    run: Run, breaker: CircuitBreaker
) -> None:
    breaker.record_failure()
    breaker.record_failure()
    call = FakeCall(BatchFailed("status 500"))

    for _ in range(5):
        with pytest.raises(BatchFailed):
            run(call)

    assert (call.count, breaker.state) == (5, CircuitState.CLOSED)
    breaker.record_failure()
    assert breaker.state is CircuitState.OPEN  # it was no success either


def test_call_is_not_made_again_when_the_budget_is_spent(breaker: CircuitBreaker) -> None:
    retries = Retries(breaker, RetryBudget(share=0.2, window_seconds=3600))
    call = FakeCall(FAILURE, "answer")

    with pytest.raises(PredictorUnavailable):
        retries.run(call, math.inf)

    assert call.count == 1


def test_call_is_not_made_again_when_no_time_is_left(breaker: CircuitBreaker) -> None:
    budget = RetryBudget(share=1, window_seconds=3600)
    call = FakeCall(FAILURE, "answer")

    with pytest.raises(PredictorUnavailable):
        Retries(breaker, budget).run(call, deadline=0)

    assert call.count == 1


def test_every_attempt_counts_for_the_circuit(run: Run, breaker: CircuitBreaker) -> None:
    call = FakeCall(FAILURE)
    for _ in range(2):
        with pytest.raises(PredictorUnavailable):
            run(call)

    assert (breaker.state, call.count) == (CircuitState.OPEN, 3)


def test_no_call_is_made_while_the_circuit_is_open(run: Run, breaker: CircuitBreaker) -> None:
    for _ in range(3):
        breaker.record_failure()
    call = FakeCall("answer")

    with pytest.raises(PredictorUnavailable, match="circuit is open"):
        run(call)

    assert call.count == 0


def test_probe_is_one_call_only() -> None:
    breaker = CircuitBreaker(failures_to_open=1, window_seconds=0)
    budget = RetryBudget(share=100, window_seconds=3600)
    breaker.record_failure()
    assert breaker.admit()
    call = FakeCall(FAILURE)

    with pytest.raises(PredictorUnavailable):
        Retries(breaker, budget).run(call, math.inf)

    assert (call.count, breaker.state) == (1, CircuitState.OPEN)


def make_budget(clock: FakeClock) -> RetryBudget:
    return RetryBudget(share=0.2, window_seconds=10, clock=clock)


def test_first_retry_has_to_be_earned() -> None:
    budget = make_budget(FakeClock())
    for _ in range(4):
        budget.count_call()
    assert not budget.take_retry()

    budget.count_call()

    assert budget.take_retry()
    assert not budget.take_retry()


def test_calls_outside_the_window_earn_nothing() -> None:
    clock = FakeClock()
    budget = make_budget(clock)
    for _ in range(50):
        budget.count_call()
    clock.now += 9
    assert budget.take_retry()

    clock.now += 1

    assert not budget.take_retry()


def test_retries_outside_the_window_cost_nothing() -> None:
    clock = FakeClock()
    budget = make_budget(clock)
    for _ in range(5):
        budget.count_call()
    assert budget.take_retry()
    clock.now += 10
    for _ in range(5):
        budget.count_call()

    assert budget.take_retry()


def test_retries_stay_within_their_share_whatever_fails() -> None:
    clock = FakeClock()
    budget = make_budget(clock)
    dice = random.Random(1)
    calls = retries = 0
    for _ in range(20_000):
        clock.now += dice.expovariate(50)
        budget.count_call()
        calls += 1
        if dice.random() < 0.7:
            retries += budget.take_retry()

    assert 0.19 * calls < retries <= 0.2 * calls
