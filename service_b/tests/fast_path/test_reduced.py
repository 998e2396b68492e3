import math
from itertools import product

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from predictor.card import Feature
from predictor.estimators import GaussianProcess, ReducedBlend
from predictor.fast_path.encoding import Encoding
from predictor.fast_path.reduced import build_reduced

CATEGORIES = ("a", "b", "c")
FEATURES = (
    Feature(name="area", column="area", kind="number", meaning="", minimum=0, maximum=1e6),
    Feature(name="town", column="town", kind="category", meaning="", categories=CATEGORIES),
    Feature(name="age", column="age", kind="number", meaning="", minimum=-9, maximum=9),
    Feature(name="kind", column="kind", kind="category", meaning="", categories=CATEGORIES),
)
# The places of three categories and of unknown, for both columns that have them.
PLACES = np.array([2.0, 0.0, 1.0, math.nan] * 2)


# The first column of the others holds numbers, or categories.
@pytest.mark.parametrize("known", [(True, True, False, False), (True, False, False, True)])
def test_predictions_are_mixed_for_the_same_rows_and_to_the_same(known: tuple[bool, ...]) -> None:
    random = np.random.default_rng(0)
    placed = np.column_stack([random.integers(0, 3, 48) for _ in FEATURES]).astype(float)
    process = GaussianProcess(((0, 2.0),), place=0.5, local=0.2, shrink=0.5, noise=0.1)
    main = DummyRegressor(strategy="constant", constant=5.0)
    blend = ReducedBlend(main, process, known, share=0.7, copies=1).fit(placed, placed[:, 0])

    hidden = np.array([*product((False, True), repeat=4)] * 3)
    placed[hidden] = math.nan
    encoding = Encoding(FEATURES)
    coded = placed.copy()
    for column, first in (1, 0), (3, 4):
        codes = {PLACES[code]: float(code) for code in range(first, first + 3)}
        coded[:, column] = [codes.get(place, first + 3.0) for place in placed[:, column]]
    mix = build_reduced(blend, encoding, PLACES)
    expected = blend.predict(placed)
    assert np.count_nonzero(expected != 5) == 3

    together = np.full(48, 5.0)
    mix(together, coded)
    np.testing.assert_allclose(together, expected, rtol=1e-12)
    for row, price in zip(coded, expected, strict=True):
        alone = np.array([5.0])
        mix(alone, row[None])
        assert alone == pytest.approx(price, rel=1e-12)
