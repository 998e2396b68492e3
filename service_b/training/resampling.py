"""How good the parameters are on other parts of the rows, each trained and judged anew.

What one part says depends on which rows happen to lie in it. So all rows are judged once, in five
folds; many random splits say where the fixed one stands among them; and whole places, or a later
year, are held out, because new rows seldom are like a random draw of the old ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, KFold

from training.estimator import Prices
from training.evaluation import (
    Data,
    Judged,
    Rows,
    judge,
    measure_judged,
    split_rows,
    train,
)
from training.measures import Measures, measure, summarize
from training.parallel import run_each
from training.parameters import Parameters
from training.rarity import name_places
from training.recipe import Recipe
from training.selection import measure_part, score, weigh_errors

FOLDS = 5
_DOMINANT_ROWS = 2

Parts = Sequence[tuple[Rows, Rows]]


def measure_five_fold(
    recipe: Recipe, data: Data, seed: int, parameters: Parameters
) -> dict[str, Any]:
    """Judge every row once, by a model that never saw it; say how the folds differ."""
    parts = _part_by_folds(len(data.prices), seed)
    judged = _judge_parts(recipe, data, seed, parameters, parts, "five folds")
    folds = [measure_judged(data.prices[rows], each) for (_, rows), each in judged]
    everything = _join(judged)
    whole = everything.predicted[-1]
    return {
        "folds": FOLDS,
        **measure_judged(data.prices, everything),
        "spread": {
            "all_fields": summarize([_pick(each) for each in folds]),
            "required_fields_only": summarize([each["required_fields_only"] for each in folds]),
        },
        "by_fold": [
            {
                "all_fields": each["mape_percent"],
                "required_fields_only": each["required_fields_only"]["mape_percent"],
            }
            for each in folds
        ],
        "dominant_rows": _find_dominant(data.prices, whole),
    }


def measure_other_splits(
    recipe: Recipe,
    data: Data,
    seed: int,
    parameters: Parameters,
    splits: int,
    fixed: Mapping[str, Any],
) -> dict[str, Any]:
    """Train anew on the first `splits` random splits, none left out; place the fixed one."""
    parts = [split_rows(len(data.prices), number) for number in range(1, splits + 1)]
    measured = _measure_prices(recipe, data, seed, parameters, parts, "other splits")
    whole, scant = zip(*measured, strict=True)
    return {
        "splits": splits,
        "all_fields": summarize(whole),
        "required_fields_only": summarize(scant),
        "share_of_splits_better_than_the_fixed_one": {
            "r2": round(float(np.mean([each["r2"] > fixed["r2"] for each in whole])), 4),
            "mape_percent": round(
                float(np.mean([each["mape_percent"] < fixed["mape_percent"] for each in whole])), 4
            ),
        },
    }


def measure_new_places(
    recipe: Recipe, data: Data, seed: int, parameters: Parameters
) -> dict[str, Any]:
    """Judge every row by a model that saw no row of its place."""
    groups = name_places(recipe, data.features, data.inputs)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    parts = list(folds.split(data.inputs, groups=groups))
    judged = _judge_parts(recipe, data, seed, parameters, parts, "new places")
    return {"places": len(set(groups)), **measure_judged(data.prices, _join(judged))}


def measure_later(
    recipe: Recipe, data: Data, seed: int, parameters: Parameters
) -> dict[str, Any] | None:
    """Judge the rows from a time on by a model of those before; None where no time is known."""
    if recipe.later is None:
        return None
    name, first = recipe.later
    column = [feature.name for feature in data.features].index(name)
    is_later = data.inputs[:, column].astype(float) >= first
    parts = [(np.flatnonzero(~is_later), np.flatnonzero(is_later))]
    ((_, judged),) = _judge_parts(recipe, data, seed, parameters, parts, None)
    return {"feature": name, "from": first, **measure_judged(data.prices[is_later], judged)}


def measure_tuning(
    recipe: Recipe,
    data: Data,
    seed: int,
    untuned: Parameters,
    tuned: Parameters,
    by_fold: Sequence[Mapping[str, float]],
) -> dict[str, Any]:
    """Compare with the untuned parameters on the same folds; `by_fold` are the tuned ones' MAPE."""
    if asdict(untuned) == asdict(tuned):
        return {"changed": False}
    parts = _part_by_folds(len(data.prices), seed)
    before = _measure_prices(recipe, data, seed, untuned, parts, "untuned")
    changes = np.array(
        [
            weigh_errors(fold["all_fields"], fold["required_fields_only"]) - score(*untuned_fold)
            for fold, untuned_fold in zip(by_fold, before, strict=True)
        ]
    )
    error = float(changes.std(ddof=1) / np.sqrt(len(changes)))
    return {
        "changed": True,
        "untuned_score": round(float(np.mean([score(*each) for each in before])), 4),
        "score_change": round(float(changes.mean()), 4),
        "score_change_standard_error": round(error, 4),
        "brings_something": bool(changes.mean() < -2 * error),
    }


def _part_by_folds(rows: int, seed: int) -> Parts:
    return list(KFold(FOLDS, shuffle=True, random_state=seed).split(np.arange(rows)))


def _judge_parts(
    recipe: Recipe,
    data: Data,
    seed: int,
    parameters: Parameters,
    parts: Parts,
    title: str | None,
) -> list[tuple[tuple[Rows, Rows], Judged]]:
    calls = [
        (_train_and_judge, (recipe, data.take(known), data.take(unseen), seed, parameters))
        for known, unseen in parts
    ]
    return list(zip(parts, run_each(calls, title), strict=True))


def _train_and_judge(
    recipe: Recipe, known: Data, unseen: Data, seed: int, parameters: Parameters
) -> Judged:
    return judge(train(recipe, known, seed, parameters), unseen, seed)


def _join(judged: Sequence[tuple[tuple[Rows, Rows], Judged]]) -> Judged:
    """Put what was judged of the parts in the order of the rows."""
    order = np.argsort(np.concatenate([rows for (_, rows), _ in judged]))
    return Judged(
        np.hstack([each.predicted for _, each in judged])[:, order],
        np.hstack([each.widths for _, each in judged])[:, order],
    )


def _measure_prices(
    recipe: Recipe,
    data: Data,
    seed: int,
    parameters: Parameters,
    parts: Parts,
    title: str,
) -> list[tuple[Measures, Measures]]:
    """Measure on whole rows and on the required fields only, without intervals."""
    calls = [
        (measure_part, (recipe, data.take(known), data.take(unseen), seed, parameters))
        for known, unseen in parts
    ]
    return list(run_each(calls, title))


def _find_dominant(prices: Prices, predicted: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Find the rows with the largest squared errors, and say what R² is without them."""
    squares = (predicted - prices) ** 2
    worst = np.argsort(squares)[::-1][:_DOMINANT_ROWS]
    rest = np.setdiff1d(np.arange(len(prices)), worst)
    return {
        "rows": [
            {"row": int(row) + 1, "price": prices[row], "predicted": round(predicted[row])}
            for row in worst
        ],
        "share_of_squared_error": round(float(squares[worst].sum() / squares.sum()), 4),
        "r2_without_them": measure(prices[rest], predicted[rest])["r2"],
    }


def _pick(measured: Mapping[str, Any]) -> Measures:
    return {name: measured[name] for name in measured["required_fields_only"]}
