"""What each piece gains that is there only for speed: beside its plain twin, all else equal."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.lineup import Lineup
from benchmarks.measurement import Sample
from benchmarks.report import Result
from benchmarks.summary import Row, round_figure
from benchmarks.variants import (
    LOG_ONLY,
    PREDICT,
    PREDICT_BATCH,
    PREDICT_CALL,
    PROCESS,
    PROCESS_ALONE,
    Comparison,
    Workload,
    compare_variants,
)

LEAST_GAIN = 0.05
"""A trick that gains less where it is meant to help isn't worth its lines."""


@dataclass(frozen=True)
class Trick:
    """A fast piece, what stands in for it, and where it is meant to help.

    `plain` is what `LAB_PLAIN` calls it. Paths are relative to the services' packages.
    """

    plain: str
    does: str
    module: str
    twin: str
    workloads: Sequence[Workload] = (PROCESS, PROCESS_ALONE, LOG_ONLY)


_OF_SERVICE_B = (PREDICT, PREDICT_BATCH)

TRICKS = [
    Trick(
        "direct_routes",
        "calls the endpoint of a hot route itself",
        "`serving/direct_routes.py`",
        "FastAPI's routing",
    ),
    Trick(
        "sqlite_writer",
        "writes many rows to SQLite with one statement",
        "`input_log/sqlite_writer.py`",
        "`input_log/writer.py`, for every database",
    ),
    Trick(
        "joined_sends",
        "sends the head and the body of a call to Service B in one piece",
        "`forwarding/joined_sends.py`",
        "`forwarding/deadline.py`, with the HTTP client's own sends",
    ),
    Trick(
        "quick_check",
        "checks inputs while their JSON is parsed",
        "`web/quick_check.py`",
        "parsed first, then checked",
        (PREDICT, PREDICT_CALL),
    ),
    Trick(
        "fast_path",
        "predicts in plain numpy",
        "`fast_path/`",
        "`inference/pipelines.py`, scikit-learn's own pipeline",
        _OF_SERVICE_B,
    ),
    Trick("1", "all of them", "", "", (PROCESS, PROCESS_ALONE, LOG_ONLY, *_OF_SERVICE_B)),
]


def measure_tricks(bench: Bench) -> Result:
    """What each trick for speed gains over its plain twin."""
    rows: list[Row] = []
    samples: list[Sample] = []
    for trick in TRICKS:
        comparisons, own = measure_trick(bench, trick)
        rows += [make_row(trick, each) for each in comparisons]
        samples += own
    return Result("tricks", "Tricks for speed", rows, samples=samples)


def measure_trick(bench: Bench, trick: Trick) -> tuple[list[Comparison], list[Sample]]:
    """Load both services as they come, and with `LAB_PLAIN`."""
    scratch = bench.plan.scratch / trick.plain
    fast, plain = "fast", f"LAB_PLAIN={trick.plain}"
    variants = {
        plain: Lineup(scratch / "plain", plain=trick.plain),
        fast: Lineup(scratch / "fast"),
    }
    return compare_variants(bench, variants, trick.workloads)


def make_row(trick: Trick, each: Comparison) -> Row:
    speed, cpu = each.speed, each.cpu_us_per_request
    return {
        "trick": trick.plain,
        "what it does": trick.does,
        "module": trick.module,
        "plain twin": trick.twin,
        "load": str(each.workload),
        "plain/s": round_figure(speed.first),
        "fast/s": round_figure(speed.second),
        "speed": round(speed.ratios.median, 3),
        "speed, lowest": round(speed.ratios.lowest, 3),
        "speed, highest": round(speed.ratios.highest, 3),
        "plain CPU µs": round_figure(cpu.first),
        "fast CPU µs": round_figure(cpu.second),
        "CPU": round(cpu.ratios.median, 3),
        "CPU, lowest": round(cpu.ratios.lowest, 3),
        "CPU, highest": round(cpu.ratios.highest, 3),
        "failures": each.failures,
    }
