"""How good the tuned parameters are, on rows that nothing before has seen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tqdm import tqdm

from predictor.card import Feature
from training.estimator import Prices, fit_estimator
from training.hidden_fields import Inputs, keep_some
from training.interval import Spread, calibrate
from training.measures import Measures, measure, part_by_thirds
from training.parameters import Parameters
from training.rarity import Rarity, learn_rarity
from training.recipe import Recipe

HOLD_OUT_SHARE = 0.2
SPLIT_SEED = 42
KNOWN_SHARES = (0, 0.25, 0.5, 0.75, 1)
_PERMUTATIONS = 3

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Data:
    """Prepared rows as training takes them."""

    features: Sequence[Feature]
    inputs: Inputs
    prices: Prices

    def take(self, rows: Rows) -> "Data":
        return Data(self.features, self.inputs[rows], self.prices[rows])


@dataclass(frozen=True)
class Trained:
    """The two estimators of a version: the price, and how far it may be off; how unusual rows are.

    Only some versions have a `rarity`.
    """

    estimator: Any
    spread: Spread
    rarity: Rarity | None = None

    def predict(self, inputs: Inputs) -> Prices:
        return np.asarray(self.estimator.predict(inputs), dtype=np.float64)

    def measure_half_width(self, inputs: Inputs) -> Prices:
        """Give half the width of each row's interval, on the log scale."""
        widths = self.spread.measure_half_width(inputs)
        return widths if self.rarity is None else widths * self.rarity.measure_factors(inputs)


def train(recipe: Recipe, data: Data, seed: int, parameters: Parameters) -> Trained:
    """Train both estimators on all the rows given."""
    arguments = (recipe, data.features, data.inputs, data.prices, seed, parameters)
    estimator, spread = fit_estimator(*arguments), calibrate(*arguments)
    if not parameters.typical:
        return Trained(estimator, spread)
    return Trained(estimator, spread, learn_rarity(*arguments, spread))


def split_rows(rows: int, seed: int = SPLIT_SEED) -> tuple[Rows, Rows]:
    """Give the rows to train on and the rows held out."""
    known, unseen = train_test_split(np.arange(rows), test_size=HOLD_OUT_SHARE, random_state=seed)
    return known, unseen


@dataclass(frozen=True)
class Judged:
    """Predictions and half widths of intervals, of shape (views, rows).

    The views are the rows with the shares `KNOWN_SHARES` of their optional fields known: the first
    has only the required fields, the last all.
    """

    predicted: npt.NDArray[np.float64]
    widths: npt.NDArray[np.float64]


def judge(trained: Trained, data: Data, seed: int) -> Judged:
    """Predict rows held out, with more and more fields known."""
    views = [
        keep_some(data.features, data.inputs, share, np.random.default_rng(seed))
        for share in KNOWN_SHARES
    ]
    return Judged(
        np.array([trained.predict(view) for view in views]),
        np.array([trained.measure_half_width(view) for view in views]),
    )


def measure_judged(prices: Prices, judged: Judged) -> dict[str, Any]:
    """Measure whole rows, those with required fields only, and by how many are known."""
    by_share = {
        f"{share:g}": measure(prices, predicted, widths)
        for share, predicted, widths in zip(
            KNOWN_SHARES, judged.predicted, judged.widths, strict=True
        )
    }
    predicted, widths = judged.predicted[-1], judged.widths[-1]
    thirds = part_by_thirds(prices)
    return {
        "rows": len(prices),
        **by_share["1"],
        "interval_coverage_share_by_price_third": [
            measure(prices[own], predicted[own], widths[own])["interval_coverage_share"]
            for own in (thirds == third for third in range(3))
        ],
        "required_fields_only": by_share["0"],
        "by_share_of_optional_fields_known": by_share,
    }


def measure_steps(
    predict: Callable[[Inputs], Prices], data: Data, recipe: Recipe
) -> list[dict[str, Any]]:
    """Give by how much prices rise on average where a field alone goes up a step, in percent."""
    names = [feature.name for feature in data.features]
    steps = []
    for name, values in recipe.rises.items():
        prices = []
        for value in values:
            rows = data.inputs.copy()
            rows[:, names.index(name)] = value if isinstance(value, str) else float(value)
            prices.append(predict(rows))
        steps += [
            {
                "feature": name,
                "from": low,
                "to": high,
                "mean_change_percent": round(100 * float(np.mean(after / before - 1)), 4),
            }
            for (low, before), (high, after) in pairwise(zip(values, prices, strict=True))
        ]
    return steps


def measure_slices(trained: Trained, data: Data, recipe: Recipe) -> dict[str, dict[str, Measures]]:
    """Measure each slice's parts on their own; parts of fewer than 5 rows are left out."""
    predicted = trained.predict(data.inputs)
    widths = trained.measure_half_width(data.inputs)
    labels = {name_price_bands(recipe): label_bands(data.prices, recipe.price_edges)}
    names = [feature.name for feature in data.features]
    for each in recipe.slices:
        values = data.inputs[:, names.index(each.feature)]
        labels[each.title] = (
            label_bands(values.astype(float), each.edges)
            if each.edges
            else [(_name(value), values == value) for value in sorted({*values}, key=str)]
        )
    return {
        title: {
            label: {"rows": int(own.sum())} | measure(data.prices[own], predicted[own], widths[own])
            for label, own in parts
            if own.sum() >= 5
        }
        for title, parts in labels.items()
    }


def name_price_bands(recipe: Recipe) -> str:
    return f"Price band, {recipe.target.unit}"


def label_bands(values: Prices, edges: Sequence[float]) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """Give the name of each band between two edges, and which of the values lie in it."""
    ends = [-np.inf, *edges, np.inf]
    return [
        (
            f"{_name(low)} to {_name(high)}".replace("-inf to", "under").replace(
                "to inf", "and more"
            ),
            own,
        )
        for low, high in pairwise(ends)
        for own in [(values >= low) & (values < high)]
    ]


def _name(value: Any) -> str:
    """Name a value; only large numbers have commas, which years haven't."""
    if isinstance(value, str):
        return value
    return f"{value:,g}" if abs(value) >= 10_000 else f"{value:g}"


def measure_importance(
    predict: Callable[[Inputs], Prices], data: Data, seed: int
) -> dict[str, float]:
    """Give for each feature by how many points MAPE rises when its values are shuffled."""
    random = np.random.default_rng(seed)
    base = measure(data.prices, predict(data.inputs))["mape_percent"]
    importance = {}
    for column, feature in enumerate(tqdm(data.features, "importance", unit="feature")):
        rises = []
        for _ in range(_PERMUTATIONS):
            shuffled = data.inputs.copy()
            shuffled[:, column] = random.permutation(shuffled[:, column])
            rises.append(measure(data.prices, predict(shuffled))["mape_percent"] - base)
        importance[feature.name] = round(float(np.mean(rises)), 4)
    return dict(sorted(importance.items(), key=lambda item: -item[1]))


def measure_calibration(trained: Trained, data: Data) -> Mapping[float, float]:
    """Give for many factors of the interval's width which share of prices lies inside."""
    error = np.abs(np.log(trained.predict(data.inputs) / data.prices))
    widths = trained.measure_half_width(data.inputs)
    return {
        factor: float(np.mean(error <= factor * widths))
        for factor in np.linspace(0, 2, 41).tolist()
    }


def measure_forest(known: Data, unseen: Data) -> Measures:
    """Measure what a model has to beat: a plain forest of 100 trees on one-hot columns."""
    numbers = [i for i, feature in enumerate(known.features) if feature.categories is None]
    categories = [i for i, feature in enumerate(known.features) if feature.categories is not None]
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore"), categories),
        ]
    )
    forest: Pipeline = make_pipeline(
        columns, RandomForestRegressor(n_estimators=100, random_state=SPLIT_SEED)
    )
    forest.fit(known.inputs, known.prices)
    return measure(unseen.prices, forest.predict(unseen.inputs))
