"""Prediction intervals by cross-conformal prediction on the log scale, wider where less is sure.

Every row is priced by an estimator that never saw it, once as it is, with some fields hidden, and
with the required fields only. From these errors a second estimator, the spread, learns how large
they are for which rows. The factor by which its word has to be multiplied so that the wanted share
of errors stays below is measured on rows that it never saw either (Vovk 2015, "Cross-conformal
predictors"; Romano et al. 2019, "Conformalized quantile regression"). There is one factor for each
band of how many fields are known: what holds for whole descriptions need not hold for scant ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold

from predictor.card import Band, Feature
from training.errors import TrainingError
from training.estimator import Prices, fit_estimator, fit_spread
from training.hidden_fields import Inputs, hide_fields, keep_required
from training.parallel import run_each
from training.parameters import Parameters
from training.recipe import Recipe

COVERAGE = 0.9
FOLDS = 5
_PARTIAL_VIEWS = 3
# Up to which shares of the optional fields the bands go; beyond the last, nearly all is known.
_BAND_SHARES = (0.1, 0.4, 0.7, 0.95)
# With fewer errors a band has no factor of its own.
_LEAST_ERRORS = 100


@dataclass(frozen=True)
class Spread:
    """The second estimator and its conformal factors, as a card has them."""

    estimator: Any
    log_scale: float
    bands: tuple[Band, ...] = ()
    # Of whole rows, each divided by the width of an interval that had not seen it.
    errors: npt.NDArray[np.float64] | None = None

    def measure_half_width(self, inputs: Inputs) -> Prices:
        """Give half the width of each row's interval, on the log scale."""
        edges = [each.given_at_most for each in self.bands]
        scales = np.array([*(each.log_scale for each in self.bands), self.log_scale])
        own = scales[np.searchsorted(edges, count_known(inputs))]
        return np.asarray(own * self.estimator.predict(inputs), dtype=np.float64)


def count_known(inputs: Inputs) -> npt.NDArray[np.intp]:
    """Count the known fields of each row."""
    # Only what is unknown isn't equal to itself.
    known: npt.NDArray[np.intp] = np.count_nonzero(inputs == inputs, axis=1)
    return known


def calibrate(
    recipe: Recipe,
    features: Sequence[Feature],
    inputs: Inputs,
    prices: Prices,
    seed: int,
    parameters: Parameters,
) -> Spread:
    """Learn the spread and measure its factor.

    Raises:
        TrainingError: too few rows.
    """
    rows = len(prices)
    random = np.random.default_rng([seed, rows])
    views = [
        inputs,
        *(hide_fields(features, inputs, random) for _ in range(_PARTIAL_VIEWS)),
        keep_required(features, inputs),
    ]
    fold_of_row = np.empty(rows, dtype=np.intp)
    errors = np.empty((len(views), rows))
    folds = KFold(FOLDS, shuffle=True, random_state=seed).split(inputs)
    parts = list(folds)
    calls = [
        (
            _fit_and_predict,
            (
                (recipe, features, inputs[known], prices[known], seed, parameters),
                [view[unseen] for view in views],
            ),
        )
        for known, unseen in parts
    ]
    results = run_each(calls, "interval")
    for number, ((_, unseen), predicted) in enumerate(zip(parts, results, strict=True)):
        fold_of_row[unseen] = number
        errors[:, unseen] = np.abs(np.log(predicted / prices[unseen]))

    def learn(chosen: npt.NDArray[np.bool_]) -> Any:
        seen = np.concatenate([view[chosen] for view in views])
        known = errors[:, chosen].ravel()
        return fit_spread(recipe, features, seen, known, COVERAGE, seed, parameters)

    scores = np.empty(errors.shape)
    for number in range(FOLDS):
        own = fold_of_row == number
        learned = learn(~own)
        for view, seen in enumerate(views):
            scores[view, own] = errors[view, own] / learned.predict(seen[own])
    everything = np.ones(rows, dtype=np.bool_)
    bands: tuple[Band, ...] = ()
    if parameters.spread_bands:
        known = np.array([count_known(view) for view in views])
        bands = _measure_bands(features, known.ravel(), scores.ravel())
    log_scale = conformal_quantile(scores[0], COVERAGE)
    return Spread(learn(everything), log_scale, bands, scores[0] / log_scale)


def _measure_bands(
    features: Sequence[Feature], known: npt.NDArray[np.intp], scores: npt.NDArray[np.float64]
) -> tuple[Band, ...]:
    required = sum(each.required for each in features)
    edges = sorted({required + int(s * (len(features) - required)) for s in _BAND_SHARES})
    bands = []
    last = -1
    for edge in edges:
        own = scores[(known > last) & (known <= edge)]
        if len(own) >= _LEAST_ERRORS:
            bands.append(Band(given_at_most=edge, log_scale=conformal_quantile(own, COVERAGE)))
            last = edge
    return tuple(bands)


def _fit_and_predict(arguments: tuple[Any, ...], views: list[Inputs]) -> npt.NDArray[np.float64]:
    """Train with `fit_estimator(*arguments)`; give its predictions, shape (views, rows)."""
    estimator = fit_estimator(*arguments)
    return np.array([estimator.predict(view) for view in views])


def conformal_quantile(errors: npt.NDArray[np.float64], coverage: float) -> float:
    """Give the error that one more draw exceeds with a chance of at most 1 - coverage.

    Raises:
        TrainingError: too few errors to say.
    """
    rank = math.ceil((len(errors) + 1) * coverage)
    if rank > len(errors):
        raise TrainingError(f"{len(errors)} rows are too few for a {coverage:.0%} interval")
    return float(np.sort(errors)[rank - 1])
