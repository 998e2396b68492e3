"""On the real data: what is unusual is found, and what is usual or unknown is not."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from predictor.typicality import LONELY, NOBODY, Arrays, Numbers, Typicality, measure_loneliness
from tests.training.test_shipped import read_real
from training.clusters import place_rows
from training.commands import RECIPES
from training.evaluation import Data
from training.hidden_fields import Inputs, keep_required, keep_some
from training.rarity import WARN_BELOW, Rarity, measure_scrambled
from training.recipe import Recipe
from training.typicality import encode, fit_typicality


@dataclass(frozen=True)
class Fitted:
    """What was learnt of rows `known`; `unseen` are others."""

    recipe: Recipe
    arrays: Arrays
    points: Numbers | None
    known: Data
    unseen: Data

    def measure(self, inputs: Inputs) -> tuple[Numbers, list[tuple[str, ...]]]:
        """Give the share of rows that are as unusual, and the fields that are so most of all."""
        typicality = Typicality(self.arrays, WARN_BELOW)
        features, loneliness = self.unseen.features, None
        if self.points is not None:
            places = place_rows(self.recipe.place, features, inputs)
            distances, _ = cKDTree(self.points).query(places, k=[1, 20])
            loneliness = measure_loneliness(*distances.T)
        shares, culprits = typicality.measure(encode(features, inputs), loneliness)
        return shares, [self._name(int(culprit)) for culprit in culprits]

    def change(self, **values: Any) -> Inputs:
        """The unseen rows with fields changed."""
        rows, names = self.unseen.inputs.copy(), [each.name for each in self.unseen.features]
        for name, value in values.items():
            rows[:, names.index(name)] = value
        return rows

    def _name(self, culprit: int) -> tuple[str, ...]:
        if culprit in (LONELY, NOBODY):
            return ("place",) if culprit == LONELY else ()
        return tuple(self.unseen.features[each].name for each in self.arrays.pairs[:, culprit])


@pytest.fixture(scope="module", params=RECIPES)
def fitted(request: pytest.FixtureRequest) -> Fitted:
    return fit(request.param)


@pytest.fixture(scope="module")
def california() -> Fitted:
    return fit("california")


@pytest.fixture(scope="module")
def ames() -> Fitted:
    return fit("ames")


@cache
def fit(name: str) -> Fitted:
    recipe = RECIPES[name]
    data = read_real(name).data
    order = np.random.default_rng(0).permutation(len(data.prices))
    known, unseen = data.take(order[:2_000]), data.take(order[-600:])
    points = place_rows(recipe.place, data.features, known.inputs) if recipe.place else None
    arrays, _ = fit_typicality(data.features, known.inputs, points, 20, seed=0)
    return Fitted(recipe, arrays, points, known, unseen)


def test_scrambled_rows_are_told_from_real_ones(fitted: Fitted) -> None:
    rarity = Rarity(fitted.recipe, fitted.unseen.features, fitted.arrays, fitted.points)
    measured = measure_scrambled(rarity, fitted.unseen.inputs, seed=1)
    assert measured["auc"] >= 0.95
    assert measured["scrambled_warned_share"] > 50 * measured["warned_share"]


def test_so_many_unseen_rows_are_below_the_bound_as_it_says_and_fewer_get_a_warning(
    fitted: Fitted,
) -> None:
    features, rows = fitted.unseen.features, fitted.unseen.inputs
    some = keep_some(features, rows, 0.5, np.random.default_rng(2))
    for view in (rows, some, keep_required(features, rows)):
        shares, culprits = fitted.measure(view)
        assert np.mean(shares < WARN_BELOW) <= 3 * WARN_BELOW
        assert np.mean([bool(names) for names in culprits]) <= WARN_BELOW


def test_no_row_learnt_from_gets_a_warning_whatever_is_known_of_it(fitted: Fitted) -> None:
    features, rows = fitted.unseen.features, fitted.known.inputs
    some = keep_some(features, rows, 0.5, np.random.default_rng(2))
    for view in (rows, some, keep_required(features, rows)):
        assert not any(fitted.measure(view)[1])


def test_fields_that_are_unknown_are_never_culprits(fitted: Fitted) -> None:
    features = fitted.unseen.features
    required = {each.name for each in features if each.required} | {"place"}
    scant = keep_required(features, fitted.unseen.inputs)
    assert {name for names in fitted.measure(scant)[1] for name in names} <= required


def test_size_beyond_all_rows_is_unusual_and_named(ames: Fitted) -> None:
    shares, culprits = ames.measure(ames.change(gr_liv_area=12_000))
    assert (shares < WARN_BELOW).all()
    assert {"gr_liv_area"} == {name for names in culprits for name in names}


def test_place_without_neighbours_is_unusual_and_named(california: Fitted) -> None:
    # Both in the ocean.
    for longitude, latitude in ((-123.5, 34.0), (-124.2, 36.5)):
        moved = california.change(longitude=longitude, latitude=latitude)
        shares, culprits = california.measure(moved)
        assert (shares < WARN_BELOW).all()
        assert np.mean([names == ("place",) for names in culprits]) > 0.9
