from dataclasses import replace

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor

from predictor.card import Feature
from training.ames import RECIPE as AMES
from training.errors import TrainingError
from training.estimator import fit_estimator
from training.hidden_fields import Inputs, keep_required
from training.interval import Spread, calibrate, conformal_quantile
from training.parameters import Parameters
from training.recipe import Recipe

FEATURES = (
    Feature(
        name="size", column="Size", kind="number", meaning="Any.", minimum=0, maximum=9,
        required=True,
    ),
    Feature(name="noise", column="Noise", kind="number", meaning="Any.", minimum=0, maximum=9),
    Feature(name="kind", column="Kind", kind="number", meaning="Any.", minimum=0, maximum=9),
)  # fmt: skip
# Columns of its own kind: nothing derived, no neighbours.
RECIPE: Recipe = replace(AMES, sums=(), products=(), ratios=())
PARAMETERS = Parameters(
    trees=30, whole_copies=1, partial_copies=2, spread_trees=40, features_per_split=1.0,
    spread_bands=True,
)  # fmt: skip


def make_sales(count: int, seed: int) -> tuple[Inputs, np.ndarray]:
    """Prices follow size and kind; how much they scatter follows noise."""
    random = np.random.default_rng(seed)
    inputs = random.uniform(0, 3, (count, 3))
    scatter = random.standard_normal(count) * (0.05 + 0.1 * inputs[:, 1])
    prices = 100_000 * np.exp(0.2 * inputs[:, 0] + 0.3 * inputs[:, 2] + scatter)
    return inputs.astype(object), prices


@pytest.fixture(scope="module")
def spread() -> Spread:
    inputs, prices = make_sales(1_500, 0)
    return calibrate(RECIPE, FEATURES, inputs, prices, 0, PARAMETERS)


@pytest.fixture(scope="module")
def estimator() -> TransformedTargetRegressor:
    inputs, prices = make_sales(1_500, 0)
    return fit_estimator(RECIPE, FEATURES, inputs, prices, 0, PARAMETERS)


def test_quantile_corrects_for_the_finite_sample() -> None:
    errors = np.arange(1, 100, dtype=float)[::-1]
    assert conformal_quantile(errors, 0.9) == 90
    assert conformal_quantile(errors[:9], 0.9) == 99


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="8 rows are too few for a 90% interval"):
        conformal_quantile(np.ones(8), 0.9)


def test_interval_is_wider_where_prices_scatter_more(spread: Spread) -> None:
    inputs, _ = make_sales(500, 1)
    widths = spread.measure_half_width(inputs)
    noise = inputs[:, 1].astype(float)
    assert widths[noise > 2].mean() > 2 * widths[noise < 1].mean()


def test_interval_is_wider_when_fewer_fields_are_given(spread: Spread) -> None:
    inputs, _ = make_sales(500, 2)
    quiet = inputs[inputs[:, 1].astype(float) < 1.5]
    scant = keep_required(FEATURES, quiet)
    assert spread.measure_half_width(scant).mean() > 1.3 * spread.measure_half_width(quiet).mean()


def test_each_band_of_known_fields_has_the_factor_that_its_own_rows_need(
    spread: Spread, estimator: TransformedTargetRegressor
) -> None:
    assert [each.given_at_most for each in spread.bands] == [1, 2]
    inputs, actual = make_sales(3_000, 4)
    scant = keep_required(FEATURES, inputs)
    errors = np.abs(np.log(estimator.predict(scant) / actual))
    assert np.mean(errors <= spread.measure_half_width(scant)) == pytest.approx(0.9, abs=0.03)
    np.testing.assert_allclose(
        spread.measure_half_width(scant),
        spread.bands[0].log_scale * spread.estimator.predict(scant),
    )
    np.testing.assert_allclose(
        spread.measure_half_width(inputs), spread.log_scale * spread.estimator.predict(inputs)
    )


def test_interval_covers_new_rows_as_often_as_it_says(
    spread: Spread, estimator: TransformedTargetRegressor
) -> None:
    inputs, actual = make_sales(3_000, 3)
    inside = np.abs(np.log(estimator.predict(inputs) / actual)) <= spread.measure_half_width(inputs)
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    noise = inputs[:, 1].astype(float)
    for low in (0, 1, 2):
        assert inside[(noise >= low) & (noise < low + 1)].mean() == pytest.approx(0.9, abs=0.06)
