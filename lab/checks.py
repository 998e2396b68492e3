"""The test command: its parts, and what each of them runs."""

import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lab.commands import Beside, run
from lab.ports import find_free_ports
from lab.services import run_both
from lab.settings import read_settings
from lab.shells import Shell
from lab.steps import Steps
from lab.venvs import find_python, prepare
from lab.walkthrough import walk_through

TYPED = {  # what mypy checks
    "service_a": ["main.py", "gateway", "tests"],
    "service_b": ["main.py", "predictor", "training", "tests"],
    "system": ["lab", "tests", "benchmarks"],
}
# Percent of the lines and branches of a package that its tests must reach. They are measured only
# in CI: while they are, Python takes twice as long.
LEAST_COVERED = {
    "service_a": {"gateway": 95},
    "service_b": {"predictor": 95, "training": 90},
}
PARTS = [*TYPED, "walkthrough"]


def run_parts(parts: Sequence[str], shell: Shell) -> bool:
    """Run parts of the tests, go on after a failure, and say whether everything passed."""
    steps = Steps()
    if len(parts) > 1:
        print("All parts take five to nine minutes on two cores, depending on the machine.")
    for part in parts:
        if steps.take(f"{part}: packages", partial(_prepare, part)):
            if part in TYPED:
                _check(steps, part)
            else:
                steps.take(part, partial(_walk_through_own_services, shell))
    steps.print_summary()
    return steps.all_passed


def _prepare(part: str) -> None:
    if part != "service_b":
        prepare("service_a", "requirements-dev.txt")
    if part != "service_a":
        # In CI, the reader of docs/the-loop.md trains.
        trains = part == "service_b" or (part == "system" and bool(os.environ.get("CI")))
        prepare("service_b", f"requirements-{'dev' if trains else 'tracing'}.txt")


def _check(steps: Steps, part: str) -> None:
    folder, venv, linted = Path(part), Path(part, ".venv"), ["."]
    if part == "system":
        folder, venv = Path(), Path("service_a/.venv")
        linted = ["--extend-exclude=service_a", "--extend-exclude=service_b", "."]
    module = [str(find_python(venv).absolute()), "-m"]
    linters = [
        [*module, "ruff", "check", *linted],
        [*module, "ruff", "format", "--check", *linted],
        [*module, "mypy", *TYPED[part]],
    ]
    # The tests leave a core idle for much of their time.
    with Beside(linters, folder) as beside:
        # Tests wait for a part of their time, so there are more processes than cores. The tests of
        # a module share what it has started or trained.
        cores = os.cpu_count() or 1
        options = ["-n", f"{cores + cores // 2}", "--dist", "loadfile"]
        least_covered = LEAST_COVERED.get(part, {}) if os.environ.get("CI") else {}
        if least_covered:
            options += ["--cov", "--cov-report=xml"]
        # The end says what failed and what was skipped, and why.
        tests = [*module, "pytest", "-rfEs", *options, "tests"]
        steps.take(f"{part}: tests", partial(run, tests, folder))
        for package, percent in least_covered.items():
            report = ["coverage", "report", f"--include={package}/*", f"--fail-under={percent}"]
            steps.take(f"{part}: coverage of {package}", partial(run, [*module, *report], folder))
        steps.take(f"{part}: ruff and mypy", beside.finish)


def _walk_through_own_services(shell: Shell) -> bool:
    a, b = find_free_ports()
    ports = {"SERVICE_A_PORT": str(a), "SERVICE_B_PORT": str(b)}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        log = Path(scratch, "services.log")
        own = {
            "INPUT_LOG_URL": f"sqlite:///{Path(scratch, 'inputs.db').as_posix()}",
            "LAB_ENV_FILE": os.devnull,
        }
        passed = False
        try:
            with (
                log.open("wb") as output,
                run_both(read_settings(os.environ | ports), own, output),
            ):
                passed = walk_through(f"http://localhost:{a}", f"http://localhost:{b}", shell)
        finally:
            if not passed:
                print(log.read_text("utf-8", errors="replace"), end="")
        return passed
