"""The part `quality` of the benchmarks: the lab's models beside other learners."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.answers import WrongAnswer
from benchmarks.page import make_table, write_page
from benchmarks.quality import check_splits, read_lines
from benchmarks.report import Result, write_result
from benchmarks.summary import Row
from tests.running_lab import ROOT

SHARED = ROOT.parent / "shared" / "data"
DATA = [SHARED / "AmesHousing.txt", SHARED / "california_housing.csv"]


def make_rows(learner: str, errors: Mapping[int, float], r2: float = 0.9) -> list[Row]:
    return [
        {
            "data": "ames, all fields",
            "learner": learner,
            "split": split,
            "held out": f"rows of {split}",
            "MAPE %": error,
            "R²": r2,
            "seconds": 1.5,
        }
        for split, error in errors.items()
    ]


LAB = make_rows("the lab", {42: 7.0, 101: 9.0, 202: 8.0})
# Worse than the lab by 0.4, 0.6 and -0.1 on the same splits.
PEER = make_rows("a peer", {202: 7.9, 42: 7.4, 101: 9.6}, r2=0.88)


def test_differences_are_taken_within_each_split() -> None:
    lab, peer = make_table("quality", [*PEER, *LAB])

    assert (lab["learner"], peer["learner"]) == ("**the lab**", "a peer")
    assert lab["MAPE %"] == "8.00 ± 1.00"
    assert peer["MAPE %"] == "8.30 ± 1.15"
    assert peer["MAPE less the lab's"] == "+0.30 ± 0.36"
    assert peer["R² less the lab's"] == "-0.020 ± 0.000"
    assert peer["splits where MAPE is smaller"] == "1 of 3"


def test_no_spread_is_claimed_when_there_is_one_split() -> None:
    lab, peer = make_table("quality", [LAB[0], PEER[1]])

    assert (lab["MAPE %"], peer["MAPE less the lab's"]) == ("7.00", "+0.40")


def test_learners_are_compared_when_they_priced_the_same_rows() -> None:
    check_splits([*LAB, *PEER])


@pytest.mark.parametrize(
    "peer",
    [PEER[1:], [PEER[0] | {"held out": "others"}, *PEER[1:]], [*PEER, PEER[0] | {"split": 303}]],
    ids=["a split is missing", "other rows", "a split more"],
)
def test_learner_is_refused_when_it_priced_other_rows(peer: list[Row]) -> None:
    with pytest.raises(WrongAnswer, match="a peer did not price the same rows of ames, all fields"):
        check_splits([*LAB, *peer])


def test_progress_says_how_far_it_is_and_the_time_left() -> None:
    said: list[str] = []
    lines = [
        {"work": 8.0},
        {"done": 2.0, "title": "a search", "rows": [], "found": {"a peer, tuned": "{}"}},
        {"done": 6.0, "title": "a training", "rows": LAB, "found": {}},
    ]

    rows, found = read_lines(map(json.dumps, lines), said.append, iter([0.0, 60.0, 200.0]).__next__)

    assert (rows, found) == (LAB, {"a peer, tuned": "{}"})
    assert said == [
        " 25%, about 3 min left: a search",
        "100%, about 0 min left: a training",
    ]


def test_page_shows_the_learners_when_they_were_compared(tmp_path: Path) -> None:
    facts = {"date": "2026-11-27 00:00 UTC", "revision": "abc1234", "processor": "2 cores"}
    write_result(tmp_path, Result("quality", "A title", [*LAB, *PEER], ["A remark."]), facts)

    write_page(tmp_path)

    page = (tmp_path / "README.md").read_text()
    assert "## How good are the prices, beside what other learners give?" in page
    assert "| ames, all fields | a peer | 8.30 ± 1.15 | 0.880 ± 0.000 | +0.30 ± 0.36 |" in page
    assert "A remark. (2026-11-27, revision abc1234, 2 cores)" in page


def test_lab_trains_beside_the_peers_with_the_packages_of_its_own_lock() -> None:
    own = (ROOT / "service_b/requirements-training.txt").read_text().splitlines()
    beside = (ROOT / "benchmarks/peers/quality/requirements.txt").read_text().splitlines()

    pins = {line for line in own if not line.startswith("#")}
    assert pins - {*beside} == set(), "make the lock anew, as its first lines say"


@pytest.mark.skipif(not os.environ.get("CI"), reason="trains for a minute: runs only in CI")
def test_lab_and_a_peer_that_needs_no_more_packages_price_the_same_rows() -> None:
    command = ["--splits=42", "--trials=0", "--peers", "scikit-learn's boosting"]
    given = [f"--data={file}" for file in DATA if file.exists()]
    finished = subprocess.run(
        [ROOT / "service_b/.venv/bin/python", "train.py", *command, *given],
        cwd=ROOT / "benchmarks/peers/quality",
        env=os.environ | {"PYTHONPATH": str(ROOT / "service_b")},
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert finished.returncode == 0, finished.stderr
    said: list[str] = []
    rows, found = read_lines(finished.stdout.splitlines(), said.append)
    check_splits(rows)
    assert said[-1].startswith("100%")
    assert not found  # nothing was searched
    errors = {(row["data"], row["learner"]): float(row["MAPE %"]) for row in rows}
    for data, best, worst in [
        ("ames, all fields", 6, 9),
        ("ames, required fields only", 9, 14),
        ("california, all fields", 11, 20),
    ]:
        for learner in ("the lab", "scikit-learn's boosting"):
            assert best < errors[data, learner] < worst, (data, learner)
