"""Search for better parameters with Optuna: TPE proposes, the median rule stops the hopeless."""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from tqdm import tqdm

from training.errors import TrainingError
from training.parameters import Parameters
from training.recipe import Range

# What was interrupted doesn't count.
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)

# Gets parameters and a function to report the score so far and the fold; gives the score.
Objective = Callable[[Parameters, Callable[[float, int], None]], float]


def search(
    start: Parameters,
    ranges: Mapping[str, Range],
    trials: int,
    seed: int,
    journal: Path,
    objective: Objective,
) -> tuple[Parameters, list[dict[str, Any]]]:
    """Try up to `trials` parameters, those nearest to `start` first; give the best and a record.

    Every trial is written to `journal` as it goes: a search that was stopped goes on from there.

    Raises:
        TrainingError: the journal can't be read or written.
    """
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(
            study_name="tune",
            storage=JournalStorage(JournalFileBackend(str(journal))),
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=6),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
        )
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"cannot use {journal}: {error}; delete it to begin the search anew"
        ) from error
    ranges = {name: each for name, each in ranges.items() if _is_used(name, start)}
    done = study.get_trials(states=_DONE)
    if not study.trials:
        study.enqueue_trial(
            {name: min(max(_read(name, start), r.low), r.high) for name, r in ranges.items()}
        )
    with tqdm(total=trials, initial=min(len(done), trials), desc="tune", unit="trial") as progress:

        def run(trial: optuna.Trial) -> float:
            return objective(_propose(trial, start, ranges), _prune(trial))

        def show_progress(study: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
            if study.best_trials:
                progress.set_postfix(best=f"{study.best_value:.4f}")
            progress.update()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.optimize(run, n_trials=max(0, trials - len(done)), callbacks=[show_progress])
    record = [
        {"number": each.number, "state": each.state.name, "score": each.value, **each.params}
        for each in study.get_trials(states=_DONE)
    ]
    return _apply(start, study.best_params), record


def _propose(trial: optuna.Trial, start: Parameters, ranges: Mapping[str, Range]) -> Parameters:
    values: dict[str, float] = {}
    for name, each in ranges.items():
        if isinstance(each.low, int) and isinstance(each.high, int):
            values[name] = trial.suggest_int(name, each.low, each.high, log=each.log)
        else:
            values[name] = trial.suggest_float(name, each.low, each.high, log=each.log)
    return _apply(start, values)


def _prune(trial: optuna.Trial) -> Callable[[float, int], None]:
    def report(score: float, fold: int) -> None:
        trial.report(score, fold)
        if trial.should_prune():
            raise optuna.TrialPruned

    return report


def _is_used(name: str, start: Parameters) -> bool:
    member = name.removeprefix("weights.")
    if member == name:
        return name in {each.name for each in fields(start)}
    return member in start.weights and len(start.weights) > 1


def _read(name: str, start: Parameters) -> float:
    member = name.removeprefix("weights.")
    value: float = start.weights[member] if member != name else getattr(start, name)
    return value


def _apply(start: Parameters, values: Mapping[str, float]) -> Parameters:
    """Set values; the members that aren't named share what is left of the weight."""
    named = {n.removeprefix("weights."): v for n, v in values.items() if n.startswith("weights.")}
    others = {name: value for name, value in start.weights.items() if name not in named}
    share = (1 - sum(named.values())) / (sum(others.values()) or 1)
    weights = {name: named.get(name, others.get(name, 0) * share) for name in start.weights}
    plain = {name: value for name, value in values.items() if not name.startswith("weights.")}
    changes: dict[str, Any] = {"weights": weights, **plain}
    return replace(start, **changes)
