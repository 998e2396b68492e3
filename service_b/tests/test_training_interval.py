import numpy as np
import pytest

from training.errors import TrainingError
from training.interval import conformal_quantile, measure_half_width


def test_quantile_corrects_for_the_finite_sample() -> None:
    errors = np.arange(1, 100, dtype=float)[::-1]
    assert conformal_quantile(errors, 0.9) == 90
    assert conformal_quantile(errors[:9], 0.9) == 99


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="8 rows are too few for a 90% interval"):
        conformal_quantile(np.ones(8), 0.9)


def test_every_row_is_predicted_once_by_an_estimator_that_never_saw_it() -> None:
    prices = np.geomspace(50_000, 500_000, 53)
    seen: list[int] = []

    def predict_unseen(known: np.ndarray, unseen: np.ndarray) -> np.ndarray:
        assert sorted([*known, *unseen]) == list(range(53))
        seen.extend(unseen)
        return np.full(len(unseen), 100_000.0)

    measure_half_width(predict_unseen, prices, 0.9, seed=0)
    assert sorted(seen) == list(range(53))


def test_interval_covers_new_rows_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    # The true price is 100,000 times a random factor that no estimator can know.
    prices, new_prices = 100_000 * np.exp(0.1 * random.standard_normal((2, 5_000)))

    half_width = measure_half_width(
        lambda _, unseen: np.full(len(unseen), 100_000.0), prices, 0.9, seed=0
    )

    inside = np.abs(np.log(new_prices / 100_000)) <= half_width
    assert inside.mean() == pytest.approx(0.9, abs=0.02)
    assert half_width == pytest.approx(0.1645, abs=0.005)
