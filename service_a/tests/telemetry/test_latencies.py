import pytest

from gateway.telemetry.latencies import Latencies
from tests.fake_clock import FakeClock


@pytest.fixture
def latencies(clock: FakeClock) -> Latencies:
    return Latencies(clock)


def test_quantiles_are_right_to_within_a_step(latencies: Latencies) -> None:
    for milliseconds in range(1, 1001):
        latencies.count(milliseconds)

    assert latencies.find_quantile(0.5) == pytest.approx(500, rel=0.05)
    assert latencies.find_quantile(0.99) == pytest.approx(990, rel=0.05)


def test_there_is_no_quantile_without_requests(latencies: Latencies, clock: FakeClock) -> None:
    assert latencies.find_quantile(0.5) is None
    latencies.count(1)
    clock.now += 11
    assert latencies.find_quantile(0.5) is None


def test_rate_is_that_of_the_last_whole_second(latencies: Latencies, clock: FakeClock) -> None:
    for _ in range(30):
        latencies.count(0)
    assert latencies.find_rate() == 0
    clock.now += 1
    latencies.count(5)
    assert latencies.find_rate() == 30
    clock.now += 2
    assert latencies.find_rate() == 0
