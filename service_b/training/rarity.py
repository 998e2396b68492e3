"""How unusual rows are, and how much wider their intervals must be for that.

What is to be expected of inputs unlike all training rows is measured by holding out whole places:
each row is priced by an estimator that saw none of its place, a quick one, as errors there differ
little. In bands of how unusual the rows are to it, the interval's width is multiplied by what lets
enough of the prices lie inside. Then all factors are lowered until the intervals of ordinary rows
hold no more than is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from predictor.card import Feature, Widening
from predictor.typicality import NOBODY, Arrays, Typicality, measure_loneliness
from training.clusters import place_rows
from training.estimator import Prices, fit_estimator
from training.hidden_fields import Inputs
from training.interval import COVERAGE, Spread, conformal_quantile
from training.parallel import run_each
from training.parameters import Parameters
from training.recipe import Recipe
from training.typicality import encode, fit_typicality

FOLDS = 5
# Fewer unseen rows get a warning, for most of them have no new combination either.
WARN_BELOW = 0.01
# A little more than the 85% that are wanted, for the factors are lowered afterwards.
_COVERAGE_OF_NEW_PLACES = 0.91
# What is more usual than the last gets no factor: most rows must not pay for a few.
_BANDS = (1e-4, 0.003, 0.01, 0.03, 0.1, 0.3)
# With fewer rows of new places a band says nothing.
_LEAST_ROWS = 50

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rarity:
    """Tables of how unusual rows are; `points` are the places of the rows learnt from, if any."""

    recipe: Recipe
    features: Sequence[Feature]
    arrays: Arrays
    points: Numbers | None
    widening: tuple[Widening, ...] = (Widening(typical=1, factor=1),)

    def measure(self, inputs: Inputs) -> Numbers:
        """Give the share of the rows learnt from that are as unusual as each row."""
        return self._judge(inputs)[0]

    def find_warned(self, inputs: Inputs) -> npt.NDArray[np.bool_]:
        """Tell which rows get a warning."""
        warned: npt.NDArray[np.bool_] = self._judge(inputs)[1] != NOBODY
        return warned

    def _judge(self, inputs: Inputs) -> tuple[Numbers, Numbers]:
        loneliness = None
        if self.points is not None:
            places = place_rows(self.recipe.place, self.features, inputs)
            farther = max(self.recipe.neighbours)
            distances, _ = cKDTree(self.points).query(places, k=[1, farther])
            loneliness = measure_loneliness(*distances.T)
        rows = encode(self.features, inputs)
        return Typicality(self.arrays, WARN_BELOW).measure(rows, loneliness)

    def measure_factors(self, inputs: Inputs) -> Numbers:
        """Give by what the width of each row's interval is multiplied."""
        return _interpolate(self.widening, self.measure(inputs))


def learn_rarity(
    recipe: Recipe,
    features: Sequence[Feature],
    inputs: Inputs,
    prices: Prices,
    seed: int,
    parameters: Parameters,
    spread: Spread,
) -> Rarity:
    """Count the tables, and measure the factors in places held out."""
    rarity, shares = _count(recipe, features, inputs, seed, parameters)
    if not recipe.places or spread.errors is None:
        return rarity
    quick = replace(
        parameters,
        trees=max(1, parameters.trees // 2),
        learning_rate=2 * parameters.learning_rate,
        whole_copies=1,
        partial_copies=0,
        required_copies=0,
        seeds=1,
    )
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    parts = list(folds.split(inputs, groups=name_places(recipe, features, inputs)))
    calls = [
        (_price_new_places, (recipe, features, inputs, prices, seed, quick, known, unseen))
        for known, unseen in parts
    ]
    errors, typical = np.empty(len(prices)), np.empty(len(prices))
    for (_, unseen), found in zip(parts, run_each(calls, "new places"), strict=True):
        errors[unseen], typical[unseen] = found
    errors /= spread.measure_half_width(inputs)
    factors = []
    for low, high in pairwise(_BANDS):
        own = errors[(typical >= low) & (typical < high)]
        enough = len(own) >= _LEAST_ROWS
        factors.append(max(1.0, float(np.quantile(own, _COVERAGE_OF_NEW_PLACES)) if enough else 1))
    # What is more unusual is never sure of a narrower interval.
    factors = [*np.maximum.accumulate(factors[::-1])[::-1].tolist(), 1.0]
    knots = [*(float(np.sqrt(low * high)) for low, high in pairwise(_BANDS)), _BANDS[-1]]
    widening = _join(knots, factors)
    lowered = conformal_quantile(spread.errors / _interpolate(widening, shares), COVERAGE)
    return replace(rarity, widening=_join(knots, [lowered * factor for factor in factors]))


def measure_scrambled(rarity: Rarity, inputs: Inputs, seed: int) -> dict[str, Any]:
    """Say how well rows are distinguished from the same with each column shuffled on its own."""
    random = np.random.default_rng(seed)
    scrambled = np.column_stack([random.permutation(column) for column in inputs.T])
    real, shuffled = rarity.measure(inputs), rarity.measure(scrambled)
    is_real = np.repeat([1, 0], len(inputs))
    return {
        "auc": round(float(roc_auc_score(is_real, np.concatenate([real, shuffled]))), 4),
        "warned_share": round(float(np.mean(rarity.find_warned(inputs))), 4),
        "scrambled_warned_share": round(float(np.mean(rarity.find_warned(scrambled))), 4),
        "widening": [each.model_dump() for each in rarity.widening],
    }


def name_places(recipe: Recipe, features: Sequence[Feature], inputs: Inputs) -> list[str]:
    """Name the place of each row: the values of its fields, or the steps in which they lie."""
    names = [feature.name for feature in features]
    columns = []
    for name, size in recipe.places.items():
        values = inputs[:, names.index(name)]
        columns.append(np.floor(values.astype(float) / size) if size else values)
    return [" ".join(map(str, each)) for each in zip(*columns, strict=True)]


def _count(
    recipe: Recipe, features: Sequence[Feature], inputs: Inputs, seed: int, parameters: Parameters
) -> tuple[Rarity, Numbers]:
    points = place_rows(recipe.place, features, inputs) if parameters.nearby else None
    farther = max(recipe.neighbours, default=0)
    arrays, shares = fit_typicality(features, inputs, points, farther, seed)
    return Rarity(recipe, features, arrays, points), shares


def _price_new_places(
    recipe: Recipe,
    features: Sequence[Feature],
    inputs: Inputs,
    prices: Prices,
    seed: int,
    parameters: Parameters,
    known: Any,
    unseen: Any,
) -> tuple[Numbers, Numbers]:
    """Give the log error of each unseen row, and how unusual it is to those known."""
    arguments = (recipe, features, inputs[known], prices[known], seed, parameters)
    predicted = fit_estimator(*arguments).predict(inputs[unseen])
    rarity, _ = _count(recipe, features, inputs[known], seed, parameters)
    return np.abs(np.log(predicted / prices[unseen])), rarity.measure(inputs[unseen])


def _interpolate(widening: Sequence[Widening], shares: Numbers) -> Numbers:
    knots = [each.typical for each in widening]
    return np.interp(shares, knots, [each.factor for each in widening])


def _join(knots: Sequence[float], factors: Sequence[float]) -> tuple[Widening, ...]:
    return tuple(
        Widening(typical=knot, factor=factor) for knot, factor in zip(knots, factors, strict=True)
    )
