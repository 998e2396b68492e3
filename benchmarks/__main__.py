"""`python -m benchmarks`: see `--help`."""

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import wrk
from benchmarks.answers import WrongAnswer
from benchmarks.bench import Bench, Plan
from benchmarks.lineup import ROOT
from benchmarks.machine import read_machine, read_packages
from benchmarks.page import make_table, write_page
from benchmarks.parts import PARTS
from benchmarks.processor_limit import LimitRefused
from benchmarks.report import Result, write_result, write_table
from benchmarks.server import ServerFailed

FOLDER = ROOT / "benchmarks"
_CHARTS = ("compare", "peers", "quality")
_QUICK = ("compare", "health", "memory", "start")
_ONLY_IF_NAMED = ("compare", "revisions", "watchers", "traces", "shadow", "scale", "quality")
_WITHOUT_LOAD = ("model", "quality")

_EPILOG = """\
parts:
{parts}

Without a part it runs all except compare, which peers contains, revisions, watchers, traces,
shadow, scale and quality: well over an hour. --quick runs {quick} in about
two minutes; it only shortens parts that are named. The load comes from wrk and goes to 127.0.0.1
only. Each part writes PART.json to the results, and their README.md anew. Needs Linux, and wrk
(apt install wrk), which model and quality do without; scale needs root, and PostgreSQL for copies
of Service A. In quality, a round is a split.
"""


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; a mistake in it ends the program."""
    parts = "\n".join(f"  {name:10}{(make.__doc__ or '')}" for name, make in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.sh",
        description="Measures both services, and what people would use instead.",
        epilog=_EPILOG.format(parts=parts, quick=", ".join(_QUICK)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="what to measure")
    parser.add_argument("--quick", action="store_true", help="few rounds of 1 s")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="rounds (5, of quality 6; quick: 2)"
    )
    parser.add_argument(
        "--seconds", type=int, metavar="S", help="length of each load (5; quick: 1)"
    )
    parser.add_argument(
        "--base",
        default="HEAD",
        metavar="REVISION",
        help="what `revisions` compares the working tree with (HEAD)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="local copy of a model's data, for `quality`, where the internet can't be reached; "
        "may be given again",
    )
    parser.add_argument(
        "--page", action="store_true", help="measure nothing; write the results' README.md anew"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=FOLDER / "results",
        metavar="FOLDER",
        help="where the results go (benchmarks/results)",
    )
    options = parser.parse_args(arguments)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}")
    if min(options.rounds or 1, options.seconds or 1) < 1:
        parser.error("rounds and seconds must be at least 1")
    return options


def main() -> None:
    options = parse_arguments(sys.argv[1:])
    if options.page:
        write_page(options.results)
        return
    if not sys.platform.startswith("linux"):
        sys.exit("The benchmarks need Linux: they read from /proc what each process takes.")
    default = _QUICK if options.quick else [part for part in PARTS if part not in _ONLY_IF_NAMED]
    parts = options.parts or default
    if not wrk.is_installed() and not set(parts) <= set(_WITHOUT_LOAD):
        sys.exit("wrk, the load generator, was not found. On Debian and Ubuntu: apt install wrk")
    # So that servers are stopped and logs removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for part in parts:
        # Beside the code, because /tmp may be in memory, where a commit costs nothing.
        scratch_root = FOLDER / ".scratch"
        scratch_root.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=scratch_root) as scratch:
            _run(part, options, Path(scratch))


def _run(part: str, options: argparse.Namespace, scratch: Path) -> None:
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{part} {time.monotonic() - started:4.0f} s  {line}", file=sys.stderr, flush=True)

    rounds = options.rounds or (2 if options.quick else 6 if part == "quality" else 5)
    seconds = options.seconds or (1 if options.quick else 5)
    facts = read_machine(scratch)
    if part not in _WITHOUT_LOAD:
        facts["rounds"] = f"{rounds} of {seconds} s each"
    try:
        plan = Plan(rounds, seconds, options.quick, options.base, scratch, say, options.data)
        result = PARTS[part](Bench(plan))
    except (ServerFailed, WrongAnswer, LimitRefused, subprocess.CalledProcessError) as error:
        sys.exit(f"{part}: {error}")
    facts |= read_packages(part)
    if part in _CHARTS:
        _draw(result, options.results)
    write_result(options.results, result, facts)
    write_page(options.results)
    table = write_table(make_table(part, result.rows))
    print(f"\n{result.title}\n", *table, "", *result.remarks, sep="\n")


def _draw(result: Result, folder: Path) -> None:
    # Only this needs matplotlib; the rest runs on any Python.
    from benchmarks.chart import draw_chart
    from benchmarks.quality_chart import draw_quality

    folder.mkdir(parents=True, exist_ok=True)
    draw = draw_quality if result.part == "quality" else draw_chart
    draw(result.rows, folder / f"{result.part}.png")


if __name__ == "__main__":
    main()
