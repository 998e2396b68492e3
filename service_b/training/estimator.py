"""The estimator: made of scikit-learn and numpy only, so that serving needs no code of ours.

It takes an object array of shape (rows, inputs), columns in the card's order: numbers as float,
a category exactly as in the card's `categories`, NaN for anything unknown. It gives prices in USD.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.pipeline import Pipeline, make_pipeline

from predictor.card import Feature
from training.encoding import Inputs, Prices, build_encoder
from training.hidden_fields import hide_fields


@dataclass(frozen=True)
class Parameters:
    """How a model is trained: on how many copies of each row, with what kind of trees."""

    whole_copies: int
    partial_copies: int
    trees: int
    learning_rate: float
    leaves_per_tree: int
    features_per_split_share: float


def fit_estimator(
    features: Sequence[Feature], inputs: Inputs, prices: Prices, seed: int, parameters: Parameters
) -> TransformedTargetRegressor:
    """Train on the rows and on copies with fields hidden. The same seed gives the same bits."""
    copies = [inputs] * parameters.whole_copies + [
        hide_fields(features, inputs, np.random.default_rng([seed, number]))
        for number in range(parameters.partial_copies)
    ]
    trees = HistGradientBoostingRegressor(
        max_iter=parameters.trees,
        learning_rate=parameters.learning_rate,
        max_leaf_nodes=parameters.leaves_per_tree,
        max_features=parameters.features_per_split_share,
        early_stopping=False,
        random_state=seed,
    )
    # Learning the logarithm makes an error of 10% weigh the same for a cheap and a dear house.
    estimator = TransformedTargetRegressor(
        regressor=make_pipeline(build_encoder(features, inputs, prices), trees),
        func=np.log,
        inverse_func=np.exp,
    )
    return estimator.fit(np.concatenate(copies), np.tile(prices, len(copies)))


def fit_forest(features: Sequence[Feature], inputs: Inputs, prices: Prices) -> Pipeline:
    """Train what the estimator has to beat: a plain forest of 100 trees on the same columns."""
    forest = RandomForestRegressor(n_estimators=100, random_state=42)
    return make_pipeline(build_encoder(features, inputs, prices), forest).fit(inputs, prices)
