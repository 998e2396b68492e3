"""The benchmarks, as a user runs them, for seconds: figures are there and make sense."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.running_lab import ROOT

pytestmark = [
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or shutil.which("wrk") is None,
        reason="the benchmarks need Linux and wrk, the load generator",
    ),
    pytest.mark.skipif("CI" not in os.environ, reason="takes half a minute: runs only in CI"),
]


def run_benchmarks(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_results_are_sane_when_one_part_is_run_for_a_second(tmp_path: Path) -> None:
    finished = run_benchmarks("fields", "--quick", "--rounds=1", f"--results={tmp_path}")

    assert finished.returncode == 0, finished.stderr
    result: dict[str, Any] = json.loads((tmp_path / "fields.json").read_text())
    rows = result["rows"]
    assert {row["connections"] for row in rows} == {1, 64}
    assert len(rows) == len(result["samples"]) == 12
    for row in rows:
        assert row["failures"] == 0, row
        assert 0 < row["lowest"] <= row["requests/s"] <= row["highest"], row
        assert 0 < row["p50 ms"] <= row["p99 ms"], row
    for sample in result["samples"]:
        for cost in sample["costs"].values():
            assert cost["processes"] == 1
            assert 10 < cost["memory_mib"] < 2000
            assert 0 < cost["cpu_us_per_request"] < 1e6
    page = (tmp_path / "README.md").read_text()
    assert page.count("| Service ") == len(rows)
    assert "| what | connections |" in page
    for text in (page, json.dumps(result)):
        assert str(ROOT) not in text, "a path of this machine"


def test_a_mistake_is_named_when_there_is_no_such_part(tmp_path: Path) -> None:
    finished = run_benchmarks("nonsense", f"--results={tmp_path}")

    assert finished.returncode == 2
    assert "there is no part nonsense" in finished.stderr
    assert not list(tmp_path.iterdir())
