import numpy as np
import pytest

from training.price_level import find_level


@pytest.mark.parametrize("level", [0.8, 1.12])
def test_level_is_the_median_where_it_is_more_than_chance(level: float) -> None:
    ratios = level * np.exp(np.random.default_rng(0).normal(0, 0.1, 300))
    ratios[:3] = 90  # slips don't count
    assert find_level(ratios) == pytest.approx(level, rel=0.02)


def test_prices_are_left_as_they_are_where_a_difference_may_be_chance() -> None:
    random = np.random.default_rng(0)
    found = [find_level(np.exp(random.normal(0, 0.1, 60))) for _ in range(400)]
    assert sum(level != 1 for level in found) / len(found) < 0.07
