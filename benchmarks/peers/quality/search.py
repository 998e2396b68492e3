"""A peer's parameters, looked for as the lab's were: same rows, same folds, same method."""

import json
from collections.abc import Callable

import numpy as np
import optuna
from lines import report
from peers import SEED, Parameters, Peer
from sklearn.model_selection import KFold
from tables import Case

from training.evaluation import SPLIT_SEED
from training.measures import measure
from training.selection import FOLDS

Found = dict[tuple[str, str], Parameters]


def search(peer: Peer, case: Case, trials: int) -> Found:
    """Try the defaults and `trials - 1` others; the defaults stay if none is better.

    Only the rows that split 42 trains on are seen, as by the lab's own search.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows, _ = case.table.split(SPLIT_SEED)
    frame, prices = case.table.frame[case.columns].iloc[rows], case.table.data.prices[rows]
    folds = list(KFold(FOLDS, shuffle=True, random_state=SEED).split(frame))
    title = f"{case.name}, {peer.name}"

    def cross_validate(parameters: Parameters, tell: Callable[[float, int], None]) -> float:
        errors: list[float] = []
        for number, (known, unseen) in enumerate(folds):
            priced = peer.price(frame.iloc[known], prices[known], frame.iloc[unseen], parameters)
            errors.append(measure(prices[unseen], priced)["mape_percent"])
            tell(float(np.mean(errors)), number)
        return float(np.mean(errors))

    def try_one(trial: optuna.Trial) -> float:
        def tell(error: float, fold: int) -> None:
            trial.report(error, fold)
            if trial.should_prune():
                raise optuna.TrialPruned

        return cross_validate(peer.suggest(trial), tell)

    def say(number: int, seconds: float) -> None:
        report(FOLDS * seconds * case.effort, f"{title}, search, trial {number} of {trials}")

    untuned = cross_validate({}, lambda *_: None)
    say(1, peer.seconds)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=SEED, n_startup_trials=6),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
    )
    study.optimize(
        try_one,
        trials - 1,
        callbacks=[lambda _, trial: say(trial.number + 2, peer.searched_seconds)],
    )
    is_better = study.best_value < untuned
    found = peer.suggest(optuna.trial.FixedTrial(study.best_params)) if is_better else {}
    report(0, f"{title}, searched", found={f"{title}, tuned": json.dumps(found)})
    return {(peer.name, case.name): found}
