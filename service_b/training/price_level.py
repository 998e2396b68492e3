"""By how much prices have risen or fallen since the sales of the data."""

import math

import numpy as np

from training.estimator import Prices, fit_estimator
from training.evaluation import Data
from training.parameters import Parameters
from training.recipe import Recipe

# Good enough for a median of many errors, also where fields are unknown.
_QUICK = Parameters(trees=200, partial_copies=2)
_STANDARD_ERRORS = 1.96


def measure_price_level(recipe: Recipe, data: Data, sold: Data, seed: int) -> float:
    """Give the factor between the prices of `sold` and what `data` says of such houses.

    It is the median over the houses; 1 where that may be chance (at 95%).
    """
    estimator = fit_estimator(recipe, data.features, data.inputs, data.prices, seed, _QUICK)
    return find_level(sold.prices / estimator.predict(sold.inputs))


def find_level(ratios: Prices) -> float:
    """Give the median, 1 if its confidence interval holds 1.

    The interval is that of the sign test: it assumes nothing of the ratios' distribution.
    """
    count = len(ratios)
    margin = _STANDARD_ERRORS * math.sqrt(count) / 2
    ordered = np.sort(ratios)
    low = ordered[max(0, math.floor(count / 2 - margin))]
    high = ordered[min(count - 1, math.ceil(count / 2 + margin))]
    return 1.0 if low <= 1 <= high else float(np.median(ratios))
