import pytest

from gateway.forwarding.circuit_breaker import CircuitBreaker, CircuitState
from tests.fake_clock import FakeClock


@pytest.fixture
def changes() -> list[CircuitState]:
    return []


@pytest.fixture
def breaker(clock: FakeClock, changes: list[CircuitState]) -> CircuitBreaker:
    return CircuitBreaker(
        failures_to_open=3, window_seconds=5, on_change=changes.append, clock=clock
    )


@pytest.fixture
def opened(breaker: CircuitBreaker) -> CircuitBreaker:
    for _ in range(3):
        breaker.record_failure()
    return breaker


def test_calls_go_through_while_it_is_closed(breaker: CircuitBreaker) -> None:
    assert breaker.state is CircuitState.CLOSED
    assert all(breaker.admit() for _ in range(10))


def test_it_opens_on_failures_in_a_row(breaker: CircuitBreaker) -> None:
    breaker.record_failure()
    breaker.record_failure()
    assert breaker.admit()
    breaker.record_failure()

    assert breaker.state is CircuitState.OPEN
    assert not breaker.admit()


def test_it_stays_closed_when_a_success_comes_between(breaker: CircuitBreaker) -> None:
    for _ in range(10):
        breaker.record_failure()
        breaker.record_failure()
        breaker.record_success()

    assert breaker.state is CircuitState.CLOSED


def test_one_probe_goes_through_when_the_window_is_over(
    opened: CircuitBreaker, clock: FakeClock
) -> None:
    clock.now += 4.9
    assert not opened.admit()
    clock.now += 0.1

    assert [opened.admit() for _ in range(5)] == [True, False, False, False, False]
    assert opened.state is CircuitState.HALF_OPEN


def test_it_closes_when_the_probe_succeeds(opened: CircuitBreaker, clock: FakeClock) -> None:
    clock.now += 5
    opened.admit()
    opened.record_success()

    assert opened.state is CircuitState.CLOSED
    assert all(opened.admit() for _ in range(10))


def test_it_waits_for_another_window_when_the_probe_fails(
    opened: CircuitBreaker, clock: FakeClock
) -> None:
    clock.now += 5
    opened.admit()
    clock.now += 3
    opened.record_failure()

    assert opened.state is CircuitState.OPEN
    clock.now += 4.9
    assert not opened.admit()
    clock.now += 0.1
    assert opened.admit()


def test_next_window_has_a_probe_when_nothing_was_heard_of_the_last(
    opened: CircuitBreaker, clock: FakeClock
) -> None:
    clock.now += 5
    assert opened.admit()
    clock.now += 4.9
    assert not opened.admit()
    clock.now += 0.1

    assert [opened.admit() for _ in range(3)] == [True, False, False]


def test_failures_are_counted_anew_when_it_has_closed(
    opened: CircuitBreaker, clock: FakeClock
) -> None:
    clock.now += 5
    opened.admit()
    opened.record_success()
    opened.record_failure()
    opened.record_failure()

    assert opened.state is CircuitState.CLOSED


def test_each_change_is_told_once(
    opened: CircuitBreaker, clock: FakeClock, changes: list[CircuitState]
) -> None:
    opened.record_failure()
    clock.now += 5
    opened.admit()
    opened.record_success()
    opened.record_success()

    assert changes == [CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED]
