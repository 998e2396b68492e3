"""The working tree beside another revision of both services."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import Bench, Plan
from benchmarks.lineup import ROOT, Lineup
from benchmarks.report import Result
from benchmarks.summary import Row, round_figure
from benchmarks.variants import (
    LOG_ONLY,
    PREDICT,
    PROCESS,
    PROCESS_ALONE,
    PUBLIC_BATCH,
    Comparison,
    compare_variants,
)

_MOST_WORSE = 0.03
_WORKLOADS = (PROCESS, PROCESS_ALONE, LOG_ONLY, PREDICT, PUBLIC_BATCH)


def compare_revisions(bench: Bench) -> Result:
    """The working tree beside the revision that --base names."""
    scratch = bench.plan.scratch
    base = find_base(bench.plan)
    with check_out(base, scratch / "checkout") as root:
        variants = {
            base: Lineup(scratch / "base", root=root),
            "working tree": Lineup(scratch / "working-tree"),
        }
        comparisons, samples = compare_variants(bench, variants, _WORKLOADS)
    rows = [row for each in comparisons for row in make_rows(base, each)]
    return Result("revisions", f"{base} and the working tree", rows, samples=samples)


def find_base(plan: Plan) -> str:
    """Return the short name of the revision that is compared with."""
    return _run_git("rev-parse", "--verify", "--short", f"{plan.base}^{{commit}}")


@contextmanager
def check_out(revision: str, folder: Path) -> Iterator[Path]:
    """Have another revision in a folder, ready to be run, as long as the context lasts."""
    _run_git("worktree", "add", "--detach", str(folder), revision)
    try:
        for service in ("service_a", "service_b"):
            _provide_venv(folder, service)
        yield folder
    finally:
        _run_git("worktree", "remove", "--force", str(folder))


def _provide_venv(root: Path, service: str) -> None:
    """Share the working tree's venv where both want the same packages; else make one."""
    lock = f"{service}/requirements.txt"
    if (root / lock).read_bytes() == (ROOT / lock).read_bytes():
        (root / service / ".venv").symlink_to(ROOT / service / ".venv")
    else:
        command = ["./run_services.sh", "--prepare", "requirements.txt", service]
        subprocess.run(command, cwd=root, check=True)


def _run_git(*arguments: str) -> str:
    finished = subprocess.run(
        ["git", "-C", ROOT, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    return finished.stdout.strip()


def make_rows(base: str, each: Comparison) -> Iterator[Row]:
    """Make a row for each figure; more speed is better, and less processor time."""
    speed_name = "houses/s" if each.workload.batch else "requests/s"
    for name, figure, better in (
        (speed_name, each.speed, 1),
        ("CPU µs per request", each.cpu_us_per_request, -1),
    ):
        change = figure.ratios.median - 1
        yield {
            "load": str(each.workload),
            "figure": name,
            base: round_figure(figure.first),
            "working tree": round_figure(figure.second),
            "change": f"{change:+.1%}",
            "rounds": f"{figure.ratios.lowest - 1:+.1%} to {figure.ratios.highest - 1:+.1%}",
            "more than 3% worse": "**worse**" if better * change < -_MOST_WORSE else "",
            "failures": each.failures,
        }
