from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from predictor.errors import NoFastPath
from predictor.fast_path import forest, leaf_tables
from predictor.fast_path.encoding import Matrix
from predictor.fast_path.forest import Forest
from predictor.fast_path.trees import Ensemble, add_boosting

NO_CODES = np.empty(0, dtype=np.intp)


def make_rows(count: int) -> Matrix:
    """Rows of numbers, whole numbers and hardly any numbers, some of them unknown."""
    random = np.random.default_rng(count)
    rows = random.normal(size=(count, 3))
    rows[:, 1] = np.round(3 * rows[:, 1])
    rows[random.random(rows.shape) < 0.2] = np.nan
    rows[random.random(count) < 0.9, 2] = np.nan
    return rows


def fit(**parameters: Any) -> HistGradientBoostingRegressor:
    rows = make_rows(2000)
    targets = np.nansum(rows**2, axis=1) + np.isnan(rows[:, 2])
    boosting = HistGradientBoostingRegressor(
        max_iter=20, min_samples_leaf=2, early_stopping=False, random_state=0, **parameters
    )
    return boosting.fit(rows, targets)


def build(boosting: HistGradientBoostingRegressor, share: float = 1) -> Forest:
    ensemble = Ensemble(np.empty(0))
    add_boosting(ensemble, boosting, share)
    return Forest([ensemble], NO_CODES)


@pytest.mark.parametrize("leaves", [2, 8, 9, 16, 17, 31, 32, 33, 64])
def test_forest_gives_the_same_as_the_boosting_when_trees_have_so_many_leaves(leaves: int) -> None:
    boosting = fit(max_leaf_nodes=leaves)
    own = build(boosting)
    for count in (1, 2, 31, 32, 127, 129, 500):
        rows = make_rows(count)
        np.testing.assert_allclose(own.predict(rows)[:, 0], boosting.predict(rows), rtol=1e-12)


@pytest.mark.parametrize("most", [1, 1_000, 1_000_000])
def test_forest_gives_the_same_when_columns_are_joined(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaf_tables, "_MAX_JOINED_PLACES", most)
    boosting = fit(max_bins=16)
    own = build(boosting)
    for count in (1, 40):
        rows = make_rows(count)
        np.testing.assert_allclose(own.predict(rows)[:, 0], boosting.predict(rows), rtol=1e-12)


@pytest.mark.parametrize("count", [1, 40])
def test_value_on_a_threshold_goes_left(count: int) -> None:
    boosting = fit()
    (thresholds,) = [tree.nodes["num_threshold"] for tree in boosting._predictors[0]]
    own = build(boosting)
    for threshold in [*thresholds, np.inf, -np.inf]:
        for value in (threshold, np.nextafter(threshold, np.inf)):
            rows = np.full((count, 3), value)
            expected = boosting.predict(rows)
            np.testing.assert_allclose(own.predict(rows)[:, 0], expected, rtol=1e-12)


def test_ensembles_are_summed_apart() -> None:
    first, second = fit(loss="absolute_error"), fit(loss="quantile", quantile=0.9, max_leaf_nodes=5)
    ensembles = [Ensemble(np.empty(0)), Ensemble(np.empty(0))]
    add_boosting(ensembles[0], first, 0.25)
    add_boosting(ensembles[0], second, 0.75)
    add_boosting(ensembles[1], second, 1)
    rows = make_rows(50)
    expected = [0.25 * first.predict(rows) + 0.75 * second.predict(rows), second.predict(rows)]
    np.testing.assert_allclose(Forest(ensembles, NO_CODES).predict(rows).T, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"max_leaf_nodes": 65}, "65 leaves"),
        ({"loss": "poisson"}, "loss poisson"),
        ({"categorical_features": [1]}, "categories"),
    ],
)
def test_trees_that_a_forest_does_not_know_are_refused(
    parameters: dict[str, Any], reason: str
) -> None:
    rows = make_rows(2000)
    rows[:, 1] = np.abs(rows[:, 1])
    boosting = HistGradientBoostingRegressor(min_samples_leaf=2, max_iter=5, **parameters)
    boosting.fit(rows, np.nan_to_num(rows[:, 1]) % 3 + np.nan_to_num(rows[:, 0]) ** 2)
    with pytest.raises(NoFastPath, match=reason):
        build(boosting)


def test_trees_with_their_nodes_in_another_order_are_refused() -> None:
    boosting = fit()
    nodes = boosting._predictors[0][0].nodes
    nodes["left"], nodes["right"] = nodes["right"].copy(), nodes["left"].copy()
    with pytest.raises(NoFastPath, match="another order"):
        build(boosting)


def test_table_that_would_be_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest, "_MAX_TABLE_BYTES", 1_000)
    boosting = fit()
    with pytest.raises(NoFastPath, match="too many thresholds"):
        build(boosting)


def test_trees_without_a_split_are_refused() -> None:
    boosting = HistGradientBoostingRegressor().fit(make_rows(20), np.arange(20))
    with pytest.raises(NoFastPath, match="no trees that split"):
        build(boosting)
