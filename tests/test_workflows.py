"""The shell scripts in GitHub's workflows; `.ci/run workflows` checks the files themselves."""

import json
import re
import subprocess
from pathlib import Path
from textwrap import dedent

from benchmarks.houses import find_version, read_card
from tests.running_lab import ROOT


def test_summary_of_a_training_is_the_first_table_of_its_report(tmp_path: Path) -> None:
    workflow = (ROOT / ".github/workflows/train.yml").read_text(encoding="utf-8")
    (script,) = re.findall(r"^        run: \|\n((?: {10}.*\n)+)", workflow, re.MULTILINE)
    version = find_version(ROOT / "service_b/models/ames")
    register = tmp_path / ".training/ames/register"
    register.mkdir(parents=True)
    # As the step writes it.
    (register / "version.json").write_text(json.dumps({"folder": str(version)}, indent=2) + "\n")
    output, summary = tmp_path / "output", tmp_path / "summary"

    subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", dedent(script)],
        cwd=tmp_path,
        env={"MODEL": "ames", "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)},
        check=True,
    )

    assert output.read_text() == f"number={version.name}\n"
    lines = summary.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# House prices in Ames, Iowa: evaluation"
    r2 = read_card(version)["metrics"]["five_fold"]["r2"]
    assert [line for line in lines if line.startswith(f"| R² | {r2:.4f} | ")]
    assert not [line for line in lines if line.startswith("## ")]
