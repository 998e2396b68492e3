"""What says little of ten rows is tried in `test_pipeline`; here are the parts and the verdicts."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from predictor.card import Feature
from training.ames import RECIPE as AMES
from training.evaluation import Data
from training.parameters import Parameters
from training.recipe import Recipe
from training.resampling import (
    measure_five_fold,
    measure_later,
    measure_new_places,
    measure_other_splits,
    measure_tuning,
)

FEATURES = (
    Feature(
        name="size", column="Size", kind="number", meaning="Any.", minimum=0, maximum=9,
        required=True,
    ),
    Feature(
        name="place", column="Place", kind="category", meaning="Where.", categories=(*"ABCDEFGHIJ",)
    ),
    Feature(name="year", column="Year", kind="number", meaning="When.", minimum=0, maximum=9),
)  # fmt: skip
RECIPE: Recipe = replace(
    AMES,
    sums=(),
    products=(),
    ratios=(),
    rises={},
    places={"place": 0},
    later=("year", 3),
)
PARAMETERS = Parameters(
    trees=8, learning_rate=0.3, partial_copies=1, spread_trees=2, features_per_split=1.0
)


@pytest.fixture(scope="module", autouse=True)
def two_folds() -> Iterator[None]:
    """Each fold trains six models; two say as much here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.resampling.FOLDS", 2)
        yield


@pytest.fixture(scope="module")
def data() -> Data:
    """Each place has its level of prices, which its other rows show; years 0 to 3 are alike."""
    random = np.random.default_rng(0)
    places = random.permutation(np.repeat([*"ABCDEFGHIJ"], 30))
    inputs = np.empty((300, 3), dtype=object)
    inputs[:, 0] = random.uniform(0, 3, 300)
    inputs[:, 1] = places
    inputs[:, 2] = random.integers(0, 4, 300).astype(float)
    levels = np.array(["ABCDEFGHIJ".index(each) for each in places]) / 8
    noise = random.normal(0, 0.05, 300)
    prices = 100_000 * np.exp(0.2 * inputs[:, 0].astype(float) + levels + noise)
    prices[7] = 3_000_000
    return Data(FEATURES, inputs, prices)


@pytest.fixture(scope="module")
def measured(data: Data) -> dict[str, Any]:
    return measure_five_fold(RECIPE, data, 0, PARAMETERS)


def test_row_that_dominates_r2_is_named_and_left_out(measured: dict[str, Any]) -> None:
    dominant = measured["dominant_rows"]
    assert dominant["rows"][0] == dominant["rows"][0] | {"row": 8, "price": 3_000_000}
    assert dominant["share_of_squared_error"] > 0.5
    assert dominant["r2_without_them"] > 0.85 > measured["r2"]


def test_new_places_are_priced_worse_than_new_houses_of_known_ones(
    data: Data, measured: dict[str, Any]
) -> None:
    places = measure_new_places(RECIPE, data, 0, PARAMETERS)
    assert (places["places"], places["rows"]) == (10, 300)
    assert places["mape_percent"] > 2 * measured["mape_percent"]


def test_only_later_rows_are_judged_where_a_time_is_known(data: Data) -> None:
    later = measure_later(RECIPE, data, 0, PARAMETERS)
    assert later is not None
    assert later["rows"] == np.count_nonzero(data.inputs[:, 2] == 3)
    assert measure_later(replace(RECIPE, later=None), data, 0, PARAMETERS) is None


def test_fixed_split_is_placed_among_others(data: Data) -> None:
    for mape, share in ((0.0, 0.0), (100.0, 1.0)):
        fixed = {"mape_percent": mape, "r2": 0.5}
        splits = measure_other_splits(RECIPE, data, 0, PARAMETERS, 3, fixed)
        assert splits["splits"] == 3
        assert splits["share_of_splits_better_than_the_fixed_one"]["mape_percent"] == share


def test_tuning_that_changes_nothing_is_said_to_bring_nothing(
    data: Data, measured: dict[str, Any]
) -> None:
    by_fold = measured["by_fold"]
    same = measure_tuning(RECIPE, data, 0, PARAMETERS, PARAMETERS, by_fold)
    assert same == {"changed": False}
    # One tree more changes nothing that matters; a model of one tree is far worse.
    alike = replace(PARAMETERS, trees=9)
    found = measure_tuning(RECIPE, data, 0, alike, PARAMETERS, by_fold)
    assert (found["changed"], found["brings_something"]) == (True, False)
    poor = replace(PARAMETERS, trees=1)
    found = measure_tuning(RECIPE, data, 0, poor, PARAMETERS, by_fold)
    assert found["brings_something"]
    assert found["score_change"] < 0
