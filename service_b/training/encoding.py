"""From object rows to numbers, by scikit-learn and numpy alone.

scikit-learn's own `OrdinalEncoder` gives the same codes, but spends 5 ms on a single row of 46
categories, because it checks column by column; comparing all columns at once takes 0.5 ms.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from predictor.card import Category, Feature

Inputs = npt.NDArray[np.object_]
Prices = npt.NDArray[np.float64]

# A category of few rows is drawn to the mean of all, as if so many more rows had it.
SMOOTHING_ROWS = 10


def build_encoder(features: Sequence[Feature], inputs: Inputs, prices: Prices) -> ColumnTransformer:
    """Pass numbers on; give each category its rank by price, 1 the cheapest, 0 for unknown.

    `inputs` has shape (rows, features): numbers as float, categories as in the card, NaN for
    unknown. Only the ranks are learnt from it.
    """
    numbers = [i for i, feature in enumerate(features) if feature.categories is None]
    categorical = [i for i, feature in enumerate(features) if feature.categories is not None]
    ranked = [
        _rank_by_price(features[i].categories or (), inputs[:, i], prices) for i in categorical
    ]
    counts = [len(each) for each in ranked]
    # One entry per category of each column: where to look, what for, and the rank it gives.
    positions = np.repeat(categorical, counts)
    values = np.array([category for each in ranked for category in each], dtype=object)
    ranks = np.zeros((len(values), len(categorical)))
    ranks[np.arange(len(values)), np.repeat(np.arange(len(counts)), counts)] = np.concatenate(
        [np.arange(1, count + 1) for count in counts]
    )

    is_category = FunctionTransformer(partial(np.equal, values))
    to_rank = FunctionTransformer(np.dot, kw_args={"b": ranks})
    return ColumnTransformer(
        [
            ("numbers", "passthrough", numbers),
            ("categories", make_pipeline(is_category, to_rank), positions),
        ]
    )


def _rank_by_price(
    categories: Sequence[Category], column: Inputs, prices: Prices
) -> list[Category]:
    """Order categories by the mean log price of their rows, so that a tree can split them there."""
    logs = np.log(prices)
    overall = logs.mean()

    def smoothed_mean(category: Category) -> float:
        own = logs[column == category]
        return float((own.sum() + SMOOTHING_ROWS * overall) / (len(own) + SMOOTHING_ROWS))

    return sorted(categories, key=smoothed_mean)
