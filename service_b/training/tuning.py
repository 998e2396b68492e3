"""Search for better parameters with Optuna: TPE proposes, the median rule stops the hopeless."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from tqdm import tqdm

from training.journal import Journal, Trial, Values
from training.parameters import Parameters
from training.recipe import Range

_DONE = (TrialState.COMPLETE, TrialState.PRUNED)

# Gets parameters and a function to report the score so far and the fold; gives the score.
Objective = Callable[[Parameters, Callable[[float, int], None]], float]


@dataclass(frozen=True)
class Found:
    """The best parameters, the number of the trial that tried them, and a record of all trials."""

    parameters: Parameters
    trial: int
    record: list[dict[str, Any]]


def search(
    start: Parameters,
    ranges: Mapping[str, Range],
    trials: int,
    seed: int,
    journal: Path,
    objective: Objective,
) -> Found:
    """Try `trials` parameters, `start` first.

    A search is made again from its beginning, but a trial that `journal` holds isn't measured
    again. So one that was stopped goes on, and ends as if it had never been stopped.

    Raises:
        TrainingError: the journal can't be read or written.
    """
    optuna.logging.set_verbosity(logging.ERROR)
    measured = Journal(journal)
    ranges = {name: each for name, each in ranges.items() if _is_used(name, start)}
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=6),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
    )
    study.enqueue_trial(
        {name: min(max(_read(name, start), r.low), r.high) for name, r in ranges.items()}
    )
    with tqdm(total=trials, desc="tune", unit="trial") as progress:

        def run(trial: optuna.Trial) -> float:
            values = _propose(trial, ranges)
            known = measured.find(values)
            if known is None:
                known = _measure(trial, values, objective, _apply(start, values))
                measured.append(known)
            else:
                for fold, score in enumerate(known.reports):
                    trial.report(score, fold)
            if known.score is None:
                raise optuna.TrialPruned
            return known.score

        def show_progress(study: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
            if study.best_trials:
                progress.set_postfix(best=f"{study.best_value:.4f}%")
            progress.update()

        study.optimize(run, n_trials=trials, callbacks=[show_progress])
    record = [
        {"number": each.number, "state": each.state.name, "score": each.value, **each.params}
        for each in study.get_trials(states=_DONE)
    ]
    return Found(_apply(start, study.best_params), study.best_trial.number, record)


def _propose(trial: optuna.Trial, ranges: Mapping[str, Range]) -> Values:
    values: dict[str, float] = {}
    for name, each in ranges.items():
        if isinstance(each.low, int) and isinstance(each.high, int):
            values[name] = trial.suggest_int(name, each.low, each.high, log=each.log)
        else:
            values[name] = trial.suggest_float(name, each.low, each.high, log=each.log)
    return values


def _measure(
    trial: optuna.Trial, values: Values, objective: Objective, parameters: Parameters
) -> Trial:
    reports: list[float] = []

    def report(score: float, fold: int) -> None:
        reports.append(score)
        trial.report(score, fold)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        score = objective(parameters, report)
    except optuna.TrialPruned:
        return Trial(values, reports, None)
    return Trial(values, reports, score)


def _is_used(name: str, start: Parameters) -> bool:
    member = name.removeprefix("weights.")
    if member == name:
        return name in {each.name for each in fields(start)}
    return member in start.weights and len(start.weights) > 1


def _read(name: str, start: Parameters) -> float:
    member = name.removeprefix("weights.")
    value: float = start.weights[member] if member != name else getattr(start, name)
    return value


def _apply(start: Parameters, values: Values) -> Parameters:
    """Set values; the members that aren't named share what is left of the weight."""
    named = {n.removeprefix("weights."): v for n, v in values.items() if n.startswith("weights.")}
    others = {name: value for name, value in start.weights.items() if name not in named}
    share = (1 - sum(named.values())) / (sum(others.values()) or 1)
    weights = {name: named.get(name, others.get(name, 0) * share) for name in start.weights}
    plain = {name: value for name, value in values.items() if not name.startswith("weights.")}
    changes: dict[str, Any] = {"weights": weights, **plain}
    return replace(start, **changes)
