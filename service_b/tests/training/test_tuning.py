from collections.abc import Callable
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.parameters import Parameters
from training.recipe import Range
from training.tuning import search

RANGES = {
    "weights.linear": Range(0.1, 0.6),
    "leaves_per_tree": Range(4, 30),
    "weights.forest": Range(0.1, 0.6),
}
START = Parameters(weights={"boosting": 0.8, "linear": 0.2}, leaves_per_tree=10)


def measure(parameters: Parameters, report: Callable[[float, int], None]) -> float:
    """Best at 20 leaves and half linear."""
    score = abs(parameters.leaves_per_tree - 20) + abs(parameters.weights["linear"] - 0.5)
    for fold in range(3):
        report(score, fold)
    return score


def test_search_begins_at_the_start_and_finds_better(tmp_path: Path) -> None:
    best, record = search(START, RANGES, 25, 0, tmp_path / "journal", measure)
    assert record[0]["leaves_per_tree"] == 10
    assert record[0]["weights.linear"] == 0.2
    assert abs(best.leaves_per_tree - 20) + abs(best.weights["linear"] - 0.5) < 5
    assert sum(best.weights.values()) == pytest.approx(1)
    assert set(best.weights) == {"boosting", "linear"}


def test_hopeless_trials_are_stopped_early(tmp_path: Path) -> None:
    _, record = search(START, RANGES, 25, 0, tmp_path / "journal", measure)
    assert {each["state"] for each in record} == {"COMPLETE", "PRUNED"}


def test_interrupted_search_goes_on_from_its_journal(tmp_path: Path) -> None:
    calls = 0

    def fail_once(parameters: Parameters, report: Callable[[float, int], None]) -> float:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return measure(parameters, report)

    with pytest.raises(KeyboardInterrupt):
        search(START, RANGES, 8, 0, tmp_path / "journal", fail_once)
    _, record = search(START, RANGES, 8, 0, tmp_path / "journal", measure)
    assert len(record) == 8
    assert calls == 4


def test_no_trial_is_made_again_when_there_are_enough(tmp_path: Path) -> None:
    first, record = search(START, RANGES, 5, 0, tmp_path / "journal", measure)
    again, same = search(START, RANGES, 5, 0, tmp_path / "journal", measure)
    assert (first, record) == (again, same)


def test_single_member_keeps_its_weight(tmp_path: Path) -> None:
    alone = Parameters(weights={"linear": 1.0})
    best, _ = search(alone, RANGES, 3, 0, tmp_path / "journal", measure)
    assert best.weights == {"linear": 1.0}


def test_corrupt_journal_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("not a journal\n", encoding="utf-8")
    with pytest.raises(TrainingError, match="delete it to begin the search anew"):
        search(START, RANGES, 3, 0, tmp_path / "journal", measure)
