"""Candidates compared by cross-validation on the training rows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import KFold

from predictor.card import Feature
from training.estimator import Prices, fit_estimator
from training.hidden_fields import Inputs, keep_required
from training.measures import Measures, measure
from training.parallel import run_each
from training.parameters import Parameters
from training.recipe import Recipe

FOLDS = 3


def cross_validate(
    recipe: Recipe,
    features: Sequence[Feature],
    inputs: Inputs,
    prices: Prices,
    seed: int,
    parameters: Parameters,
    report: Callable[[float, int], None] | None = None,
) -> tuple[Measures, Measures]:
    """Measure on whole rows and on required fields only, each the mean over the folds.

    `report` gets the mean score so far and the number of folds; it may raise to stop.
    """
    calls = [
        (
            _measure_fold,
            (
                (recipe, features, inputs[known], prices[known], seed, parameters),
                (features, inputs[unseen], prices[unseen]),
            ),
        )
        for known, unseen in KFold(FOLDS, shuffle=True, random_state=seed).split(inputs)
    ]
    whole, scant = [], []
    for fold, (on_whole, on_scant) in enumerate(run_each(calls)):
        whole.append(on_whole)
        scant.append(on_scant)
        if report:
            report(score(_average(whole), _average(scant)), fold)
    return _average(whole), _average(scant)


def score(whole: Measures, scant: Measures) -> float:
    """What is to be small: the mean percentage error, of which a quarter on scant rows.

    Most callers describe a house fully, but the others have to be served too.
    """
    return 0.75 * whole["mape_percent"] + 0.25 * scant["mape_percent"]


def _measure_fold(
    arguments: tuple[Any, ...], unseen: tuple[Sequence[Feature], Inputs, Prices]
) -> tuple[Measures, Measures]:
    estimator = fit_estimator(*arguments)
    features, inputs, prices = unseen
    whole = measure(prices, estimator.predict(inputs))
    return whole, measure(prices, estimator.predict(keep_required(features, inputs)))


def _average(runs: list[Measures]) -> Measures:
    return {name: float(np.mean([each[name] for each in runs])) for name in runs[0]}
