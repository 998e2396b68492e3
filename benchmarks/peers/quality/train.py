"""Trains the lab's models and the peers on the same splits, for `benchmarks/quality.py`.

A line of JSON with `work` comes first: about how many seconds one core takes for all. The others
are those of `lines.py`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib
from lines import make_row, report
from peers import PEERS, Parameters, Peer
from search import Found, search
from tables import Case, list_cases

import lab
from training.errors import TrainingError
from training.selection import FOLDS


@dataclass(frozen=True)
class Job:
    """A training, or a search, and about how many seconds it takes."""

    seconds: float
    run: Callable[[], Found | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, nargs="+", required=True, metavar="SEED")
    parser.add_argument("--trials", type=int, required=True, metavar="N", help="0: no search")
    parser.add_argument("--data", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--peers", nargs="*", default=[peer.name for peer in PEERS])
    options = parser.parse_args()
    splits, trials = options.splits, options.trials
    try:
        cases = list_cases(options.data)
    except TrainingError as error:
        sys.exit(f"error: {error}")
    peers = [peer for peer in PEERS if peer.name in options.peers]
    tuned = [(peer, case) for peer in peers if peer.suggest and trials for case in cases]

    jobs = list_lab_jobs(cases, splits)
    for peer in peers:
        for case in cases:
            jobs += list_peer_jobs(peer, case, peer.name, peer.seconds, {}, splits)
    for peer, case in tuned:
        seconds = FOLDS * (peer.seconds + (trials - 1) * peer.searched_seconds) * case.effort
        jobs.append(Job(seconds, partial(search, peer, case, trials)))
    later = [peer.searched_seconds * case.effort * len(splits) for peer, case in tuned]
    print(json.dumps({"work": sum([job.seconds for job in jobs] + later)}), flush=True)

    found: Found = {}
    for each in run_jobs(jobs):
        found |= each or {}
    jobs = []
    for peer, case in tuned:
        parameters, name = found[peer.name, case.name], f"{peer.name}, tuned"
        jobs += list_peer_jobs(peer, case, name, peer.searched_seconds, parameters, splits)
    run_jobs(jobs)


def list_lab_jobs(cases: list[Case], splits: list[int]) -> list[Job]:
    """One training serves all cases of a table."""
    jobs = []
    for recipe in {case.table.recipe.name: case.table.recipe for case in cases}.values():
        own = [case for case in cases if case.table.recipe is recipe]
        for learner, chosen in lab.choose_parameters(recipe).items():
            jobs += [
                Job(lab.SECONDS, partial(lab.train, own, learner, *chosen, split))
                for split in splits
            ]
    return jobs


def list_peer_jobs(
    peer: Peer,
    case: Case,
    learner: str,
    seconds: float,
    parameters: Parameters,
    splits: list[int],
) -> list[Job]:
    seconds *= case.effort
    run = partial(train_peer, peer, case, learner, seconds, parameters)
    return [Job(seconds, partial(run, split)) for split in splits]


def train_peer(
    peer: Peer, case: Case, learner: str, expected: float, parameters: Parameters, split: int
) -> None:
    """Train on the columns of a case, and price the rows held out."""
    known, unseen = case.table.split(split)
    frame, prices = case.table.frame[case.columns], case.table.data.prices
    started = time.process_time()
    priced = peer.price(frame.iloc[known], prices[known], frame.iloc[unseen], parameters)
    row = make_row(case, learner, split, priced, time.process_time() - started)
    report(expected, f"{case.name}, {learner}, split {split}", rows=[row])


def run_jobs(jobs: list[Job]) -> list[Found | None]:
    """Run jobs side by side, each on a core of its own, the longest first."""
    ordered = sorted(jobs, key=lambda job: -job.seconds)
    with joblib.parallel_config("loky", n_jobs=joblib.cpu_count(), inner_max_num_threads=1):
        found: list[Found | None] = joblib.Parallel(batch_size=1)(
            joblib.delayed(job.run)() for job in ordered
        )
    return found


if __name__ == "__main__":
    main()
