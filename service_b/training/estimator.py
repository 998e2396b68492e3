"""The estimator: made of scikit-learn's own classes only, so that serving needs no code of ours.

It takes an object array of shape (rows, inputs), columns in the card's order: numbers as float,
a category exactly as in the card's `categories`, NaN for anything unknown. It gives USD.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from predictor.card import Category, Feature

Inputs = npt.NDArray[np.object_]
Prices = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parameters:
    """What was chosen by cross-validation on the training part of the split."""

    partial_copies: int = 6
    whole_copies: int = 2
    trees: int = 500
    learning_rate: float = 0.05
    leaves_per_tree: int = 16
    share_of_features_per_split: float = 0.3


def fit_estimator(
    features: Sequence[Feature], inputs: Inputs, prices: Prices, seed: int, parameters: Parameters
) -> TransformedTargetRegressor:
    """Train on the rows and on copies with fields hidden. The same seed gives the same bits."""
    copies = [inputs] * parameters.whole_copies + [
        hide_fields(features, inputs, np.random.default_rng([seed, number]))
        for number in range(parameters.partial_copies)
    ]
    estimator = _build_estimator(features, inputs, prices, seed, parameters)
    return estimator.fit(np.concatenate(copies), np.tile(prices, len(copies)))


def hide_fields(features: Sequence[Feature], inputs: Inputs, random: np.random.Generator) -> Inputs:
    """Copy the rows with optional fields unknown: in each row another share, from none to all."""
    optional = np.array([not feature.required for feature in features])
    share = random.uniform(size=(len(inputs), 1))
    hidden = (random.uniform(size=inputs.shape) < share) & optional
    return np.where(hidden, np.nan, inputs)


def keep_required(features: Sequence[Feature], inputs: Inputs) -> Inputs:
    """Copy the rows with nothing known but the required fields."""
    required = np.array([feature.required for feature in features])
    return np.where(required, inputs, np.nan)


def _build_estimator(
    features: Sequence[Feature], inputs: Inputs, prices: Prices, seed: int, parameters: Parameters
) -> TransformedTargetRegressor:
    numbers = [i for i, feature in enumerate(features) if feature.categories is None]
    categories = [i for i, feature in enumerate(features) if feature.categories is not None]
    encoder = OrdinalEncoder(
        categories=[
            _order_by_price(features[i].categories or (), inputs[:, i], prices) for i in categories
        ],
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
    )
    columns = ColumnTransformer(
        [("numbers", "passthrough", numbers), ("categories", encoder, categories)]
    )
    trees = HistGradientBoostingRegressor(
        max_iter=parameters.trees,
        learning_rate=parameters.learning_rate,
        max_leaf_nodes=parameters.leaves_per_tree,
        max_features=parameters.share_of_features_per_split,
        early_stopping=False,
        random_state=seed,
    )
    # Learning the logarithm makes an error of 10% weigh the same for a cheap and a dear house.
    return TransformedTargetRegressor(
        regressor=make_pipeline(columns, trees), func=np.log, inverse_func=np.exp
    )


def _order_by_price(
    categories: Sequence[Category], values: Inputs, prices: Prices
) -> npt.NDArray[np.object_]:
    """Order categories by the mean log price of their rows, so that a tree can split them there.

    Rare ones are drawn to the mean of all, as if 10 more rows had it.
    """
    logs = np.log(prices)
    means = [
        (logs[values == category].sum() + 10 * logs.mean()) / ((values == category).sum() + 10)
        for category in categories
    ]
    return np.array(categories, dtype=object)[np.argsort(means, kind="stable")]
