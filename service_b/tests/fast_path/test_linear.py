import math
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from predictor.card import Feature
from predictor.errors import NoFastPath
from predictor.estimators import LinearDesign
from predictor.fast_path.encoding import Encoding, Matrix
from predictor.fast_path.linear import build_linear

CATEGORIES = ("a", "b", "c")
FEATURES = (
    Feature(name="area", column="area", kind="number", meaning="", minimum=0, maximum=1e6),
    Feature(name="town", column="town", kind="category", meaning="", categories=CATEGORIES),
    Feature(name="age", column="age", kind="number", meaning="", minimum=-9, maximum=9),
)
SIZES = (None, len(CATEGORIES), None)
# The places of the three categories, and of unknown.
PLACES = np.array([2.0, 0.0, 1.0, math.nan])


def make_rows(count: int) -> tuple[Matrix, Matrix]:
    """Give rows with codes, and the same with places; a third of the fields is unknown."""
    random = np.random.default_rng(count)
    codes = random.integers(0, len(CATEGORIES), count)
    # Of a wide range, which a linear model takes by the logarithm; and of a narrow one.
    area, age = 10 ** random.uniform(0, 5, count), random.uniform(-9, 9, count)
    coded = np.column_stack([area, codes, age])
    unknown = np.less(random.random(coded.shape), 0.3)
    coded[unknown] = math.nan
    coded[unknown[:, 1], 1] = len(CATEGORIES)
    placed = coded.copy()
    placed[:, 1] = PLACES.take(coded[:, 1].astype(int))
    return coded, placed


def fit(gated: bool, sizes: Sequence[int | None] = SIZES) -> tuple[LinearDesign, Ridge]:
    _, rows = make_rows(500)
    design = LinearDesign(tuple(sizes), gated=gated)
    targets = np.log1p(np.nan_to_num(rows[:, 0])) + np.nan_to_num(rows[:, 1] * rows[:, 2])
    return design, Ridge().fit(design.fit_transform(rows), targets)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("count", [1, 2, 300])
def test_linear_model_gives_the_same_as_design_and_regression(gated: bool, count: int) -> None:
    design, ridge = fit(gated)
    predict = build_linear(design, ridge, 0.25, Encoding(FEATURES), PLACES)
    coded, placed = make_rows(count)
    expected = 0.25 * ridge.predict(design.transform(placed))
    np.testing.assert_allclose(predict(coded), expected, rtol=1e-9, atol=1e-12)


def test_numbers_outside_of_what_was_seen_are_treated_alike() -> None:
    design, ridge = fit(gated=True)
    predict = build_linear(design, ridge, 1, Encoding(FEATURES), PLACES)
    coded = np.array([[1e6, 0, 9.5], [0, 3, -9.5], [math.nan, 3, math.nan]])
    placed = coded.copy()
    placed[:, 1] = PLACES.take(coded[:, 1].astype(int))
    expected = ridge.predict(design.transform(placed))
    np.testing.assert_allclose(predict(coded), expected, rtol=1e-9)


def test_design_that_takes_categories_for_numbers_is_refused() -> None:
    design, ridge = fit(gated=False, sizes=(None, None, None))
    with pytest.raises(NoFastPath, match="categories"):
        build_linear(design, ridge, 1, Encoding(FEATURES), PLACES)
