"""The lab's own models: the versions that are served, trained anew."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from lines import make_row, report
from tables import Case

from training.commands import SERVICE_FOLDER
from training.estimator import fit_estimator
from training.hidden_fields import keep_required
from training.parameters import Parameters
from training.recipe import Recipe
from training.versions import read_version

SECONDS = 8.0
_NAME = "the lab"


def choose_parameters(recipe: Recipe) -> Mapping[str, tuple[Parameters, int]]:
    """Give the parameters of the served version, and those from which its search began.

    The latter are left out where the search brought nothing. Each has the version's seed.
    """
    made = read_version(SERVICE_FOLDER / "models" / recipe.name, None).training
    served = Parameters.from_json(made.parameters)
    start = _find_start(recipe, served)
    chosen = {_NAME: (served, made.seed)}
    if start and start != served:
        chosen[f"{_NAME}, untuned"] = (start, made.seed)
    return chosen


def _find_start(recipe: Recipe, served: Parameters) -> Parameters | None:
    """Find the candidate that differs in nothing but what is searched."""
    searched = {name.partition(".")[0] for name in recipe.search}

    def drop_searched(parameters: Parameters) -> dict[str, Any]:
        kept = {k: v for k, v in parameters.to_json().items() if k not in searched}
        return kept | {"members": sorted(parameters.weights)}

    wanted = drop_searched(served)
    return next(
        (each for each in recipe.candidates.values() if drop_searched(each) == wanted), None
    )


def train(
    cases: Sequence[Case], learner: str, parameters: Parameters, seed: int, split: int
) -> None:
    """Train once on all fields of a table, and price the rows held out by what each case knows."""
    table = cases[0].table
    known, unseen = (table.data.take(rows) for rows in table.split(split))
    arguments = (known.features, known.inputs, known.prices)
    started = time.process_time()
    estimator = fit_estimator(table.recipe, *arguments, seed, parameters)
    seconds = time.process_time() - started
    rows = []
    for case in cases:
        is_whole = len(case.columns) == len(known.features)
        inputs = unseen.inputs if is_whole else keep_required(unseen.features, unseen.inputs)
        rows.append(make_row(case, learner, split, estimator.predict(inputs), seconds))
    report(SECONDS, f"{table.recipe.name}, {learner}, split {split}", rows=rows)
