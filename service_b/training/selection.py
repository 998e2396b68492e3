"""Candidates compared by cross-validation on the training rows."""

from collections.abc import Callable

import numpy as np
from sklearn.model_selection import KFold

from training.estimator import fit_estimator
from training.evaluation import Data
from training.hidden_fields import keep_required
from training.measures import Measures, measure
from training.parallel import run_each
from training.parameters import Parameters
from training.recipe import Recipe

FOLDS = 3


def cross_validate(
    recipe: Recipe,
    data: Data,
    seed: int,
    parameters: Parameters,
    report: Callable[[float, int], None] | None = None,
) -> tuple[Measures, Measures]:
    """Measure on whole rows and on required fields only, each the mean over the folds.

    `report` gets the mean score so far and the number of folds; it may raise to stop.
    """
    calls = [
        (measure_part, (recipe, data.take(known), data.take(unseen), seed, parameters))
        for known, unseen in KFold(FOLDS, shuffle=True, random_state=seed).split(data.inputs)
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
    return weigh_errors(whole["mape_percent"], scant["mape_percent"])


def weigh_errors(whole_percent: float, scant_percent: float) -> float:
    """Give one error for both kinds of rows."""
    return 0.75 * whole_percent + 0.25 * scant_percent


def measure_part(
    recipe: Recipe, known: Data, unseen: Data, seed: int, parameters: Parameters
) -> tuple[Measures, Measures]:
    """Train on the known rows; measure on the unseen ones, whole and with required fields only."""
    estimator = fit_estimator(recipe, known.features, known.inputs, known.prices, seed, parameters)
    scant = keep_required(unseen.features, unseen.inputs)
    whole = measure(unseen.prices, estimator.predict(unseen.inputs))
    return whole, measure(unseen.prices, estimator.predict(scant))


def _average(runs: list[Measures]) -> Measures:
    return {name: float(np.mean([each[name] for each in runs])) for name in runs[0]}
