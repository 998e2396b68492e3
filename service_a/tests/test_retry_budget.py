import random

from gateway.retry_budget import RetryBudget
from tests.test_circuit_breaker import FakeClock


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
