import pytest

from predictor.shadow.sampling import Sampler


@pytest.mark.parametrize("share", [1.0, 0.5, 0.2, 0.01])
def test_share_is_taken_to_within_a_few_of_however_many(share: float) -> None:
    sampler, taken = Sampler(share), 0
    for count in range(1, 10_001):
        taken += sampler.take()
        assert abs(taken - share * count) < 3


def test_the_same_are_taken_in_every_run() -> None:
    first, second = Sampler(0.2), Sampler(0.2)
    assert [first.take() for _ in range(1000)] == [second.take() for _ in range(1000)]


@pytest.mark.parametrize("period", [2, 5, 10, 500])
def test_all_are_taken_sometimes_when_the_same_come_in_turn(period: int) -> None:
    sampler = Sampler(0.2)
    taken = {number % period for number in range(100 * period) if sampler.take()}
    assert len(taken) == period
