import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from predictor.settings import SERVICE_FOLDER
from training.errors import TrainingError
from training.journal import Journal, Trial
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
    found = search(START, RANGES, 25, 0, tmp_path / "journal", measure)
    best, record = found.parameters, found.record
    assert record[0]["leaves_per_tree"] == 10
    assert record[0]["weights.linear"] == 0.2
    assert abs(best.leaves_per_tree - 20) + abs(best.weights["linear"] - 0.5) < 5
    assert sum(best.weights.values()) == pytest.approx(1)
    assert set(best.weights) == {"boosting", "linear"}
    scores = {each["number"]: each["score"] for each in record if each["state"] == "COMPLETE"}
    assert scores[found.trial] == min(scores.values())


def test_hopeless_trials_are_stopped_early(tmp_path: Path) -> None:
    record = search(START, RANGES, 25, 0, tmp_path / "journal", measure).record
    assert {each["state"] for each in record} == {"COMPLETE", "PRUNED"}


# Searches as above, and waits in the trial after so many of its own for what ends it.
PROGRAM = """
import sys
from pathlib import Path
from tests.training.test_tuning import RANGES, START, measure
from training.tuning import search

left = int(sys.argv[2])

def wait_after_some(parameters, report):
    global left
    if not left:
        print("waits", flush=True)
        sys.stdin.read()
    left -= 1
    return measure(parameters, report)

search(START, RANGES, 14, 0, Path(sys.argv[1]), wait_after_some)
"""


def start_search(journal: Path, trials: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(journal), str(trials)],
        cwd=SERVICE_FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
def test_interrupted_search_ends_as_if_it_had_not_been_interrupted(tmp_path: Path) -> None:
    # In the first trial, in one drawn at random, and in one that the sampler has learnt for; each
    # time after so many trials of its own.
    journal = tmp_path / "journal"
    for trials, number in [(0, signal.SIGKILL), (3, signal.SIGINT), (6, signal.SIGKILL)]:
        with start_search(journal, trials) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "waits\n"
            process.send_signal(number)
            process.wait(timeout=300)
    made = []

    def note(parameters: Parameters, report: Callable[[float, int], None]) -> float:
        made.append(parameters.leaves_per_tree)
        return measure(parameters, report)

    resumed = search(START, RANGES, 14, 0, journal, note)
    straight = search(START, RANGES, 14, 0, tmp_path / "another", measure)
    assert resumed == straight
    assert straight.record[0]["leaves_per_tree"] == START.leaves_per_tree
    assert made == [each["leaves_per_tree"] for each in straight.record[9:]]


def test_no_trial_is_made_again_when_there_are_enough(tmp_path: Path) -> None:
    first = search(START, RANGES, 5, 0, tmp_path / "journal", measure)
    assert search(START, RANGES, 5, 0, tmp_path / "journal", measure) == first


def test_parameters_written_before_a_field_existed_mean_its_default() -> None:
    old = {name: value for name, value in START.to_json().items() if name != "clusters"}
    assert Parameters.from_json(old | {"split_seed": 42}) == START


def test_single_member_keeps_its_weight(tmp_path: Path) -> None:
    alone = Parameters(weights={"linear": 1.0})
    found = search(alone, RANGES, 3, 0, tmp_path / "journal", measure)
    assert found.parameters.weights == {"linear": 1.0}


def test_more_trials_are_those_that_would_have_followed(tmp_path: Path) -> None:
    search(START, RANGES, 7, 0, tmp_path / "journal", measure)
    resumed = search(START, RANGES, 12, 0, tmp_path / "journal", measure)
    straight = search(START, RANGES, 12, 0, tmp_path / "another", measure)
    assert resumed == straight


@pytest.mark.parametrize("rest", [b"", b'{"values": {"leaves_p', b"\0\0\0\0"])
def test_journal_that_was_cut_in_its_last_line_is_mended_with_a_note(
    rest: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "journal"
    straight = search(START, RANGES, 5, 0, journal, measure)
    whole = journal.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    journal.write_bytes(whole[:last] + (rest or whole[last:-1]))
    capsys.readouterr()
    assert search(START, RANGES, 5, 0, journal, measure) == straight
    assert journal.read_bytes() == whole
    assert capsys.readouterr().out.splitlines() == [
        f"    note: the last line of {journal} was cut off; its trial is made again"
    ]


def test_journal_broken_elsewhere_is_a_clear_error_and_stays(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    search(START, RANGES, 5, 0, journal, measure)
    lines = journal.read_bytes().splitlines(keepends=True)
    broken = b"".join([*lines[:2], lines[2][:9] + b"\n", *lines[3:]])
    journal.write_bytes(broken)
    with pytest.raises(TrainingError, match="line 3 is not a trial; delete it to begin the search"):
        search(START, RANGES, 5, 0, journal, measure)
    assert journal.read_bytes() == broken


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "journal").symlink_to("/dev/full")
    trial = Trial({"leaves_per_tree": 10}, [1.0], None)
    with (
        patch.object(Path, "read_bytes", return_value=b""),  # it would give zeros without end
        pytest.raises(TrainingError, match="No space left on device"),
    ):
        Journal(tmp_path / "journal").append(trial)


@pytest.mark.parametrize("content", ["not a journal\n", "7\n", '{"values": {}}\n'])
def test_corrupt_journal_is_a_clear_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "journal").write_text(content, encoding="utf-8")
    with pytest.raises(TrainingError, match="delete it to begin the search anew"):
        search(START, RANGES, 3, 0, tmp_path / "journal", measure)
