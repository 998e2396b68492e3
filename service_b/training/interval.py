"""Prediction intervals by cross-conformal prediction on the log scale.

Every row is predicted by an estimator that never saw it. The width that covered the wanted share
of those rows is expected to cover that share of new houses like them (Vovk 2015, "Cross-conformal
predictors").
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold
from tqdm import tqdm

from training.errors import TrainingError

FOLDS = 5


def measure_half_width(
    predict_unseen: Callable[[npt.NDArray[np.intp], npt.NDArray[np.intp]], npt.NDArray[np.float64]],
    prices: npt.NDArray[np.float64],
    coverage: float,
    seed: int,
) -> float:
    """Measure half the width of the interval, on the log scale, from out-of-fold errors.

    `predict_unseen(known, unseen)` trains on the rows `known` and predicts the rows `unseen`.

    Raises:
        TrainingError: too few rows for this coverage.
    """
    errors = np.empty(len(prices))
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    for known, unseen in tqdm(
        folds.split(prices), desc="interval", total=FOLDS, unit="fold", disable=None
    ):
        errors[unseen] = np.abs(np.log(predict_unseen(known, unseen) / prices[unseen]))
    return conformal_quantile(errors, coverage)


def conformal_quantile(errors: npt.NDArray[np.float64], coverage: float) -> float:
    """Give the error that one more draw exceeds with a chance of at most 1 - coverage.

    Raises:
        TrainingError: too few errors to say.
    """
    rank = math.ceil((len(errors) + 1) * coverage)
    if rank > len(errors):
        raise TrainingError(f"{len(errors)} rows are too few for a {coverage:.0%} interval")
    return float(np.sort(errors)[rank - 1])
