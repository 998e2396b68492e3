"""Which room may import which: the contracts of import-linter in `pyproject.toml`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running_lab import ROOT

PACKAGES = ("service_a/gateway", "service_b/predictor", "service_b/training")
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run `lint-imports` on the packages below a folder, with the contracts that are in it."""
    path = os.pathsep.join(str(root / folder) for folder in ("service_a", "service_b"))
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_every_import_follows_the_directions_of_the_rooms() -> None:
    linting = lint_imports(ROOT)
    assert linting.returncode == 0, linting.stdout + linting.stderr


@pytest.mark.parametrize(
    ("module", "imported", "rule"),
    [
        (
            "service_a/gateway/intake/intake.py",
            "gateway.input_log.writer",
            "Service A: the intake knows neither HTTP nor SQL, only its own ports",
        ),
        (
            "service_a/gateway/web/routes/process.py",
            "gateway.input_log.writer",
            "Service A: web uses the intake, the log's reader and what a health answer shows",
        ),
        (
            "service_b/predictor/inference/card_model.py",
            "predictor.web.schemas",
            "Service B: web uses the shadow, which uses versions, versions inference, inference "
            "the fast path, which uses the card",
        ),
        ("service_b/training/steps.py", "gateway.errors", "The services share no code"),
    ],
)
def test_wrong_import_fails_with_the_name_of_the_rule(
    tmp_path: Path, module: str, imported: str, rule: str
) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a", encoding="utf-8") as file:
        file.write(f"\nimport {imported}\n")

    linting = lint_imports(tmp_path)

    assert linting.returncode == 1
    broken = linting.stdout.partition("Broken contracts")[2]
    assert rule in broken
    assert imported in broken
