"""Two variants of both services under the same load, in turn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from benchmarks.answers import check_answers
from benchmarks.bench import Bench
from benchmarks.lineup import Lineup
from benchmarks.measurement import (
    MOST_CONNECTIONS,
    Case,
    Sample,
    count_connections,
    running,
)
from benchmarks.server import Server
from benchmarks.subject import (
    Subject,
    make_predict,
    make_predict_batch,
    make_process,
    make_process_log_only,
    make_public_batch,
)
from benchmarks.summary import (
    Ratios,
    Row,
    compare_rounds,
    read_cpu,
    read_speed,
    select,
    summarise,
)

_CHECKED_HOUSES = 20


@dataclass(frozen=True)
class Workload:
    """What callers ask for, and how many do so at a time."""

    name: str
    make_subject: Callable[[Server, Server], Subject]
    connections: int = MOST_CONNECTIONS
    batch: int | None = None

    def __str__(self) -> str:
        return f"{self.name}, {count_connections(self.connections)}"


PROCESS = Workload("/process", make_process)
PROCESS_ALONE = Workload("/process", make_process, 1)
LOG_ONLY = Workload("log only", lambda a, _: make_process_log_only(a))
PREDICT = Workload("Service B alone", lambda _, b: make_predict(b))
PREDICT_BATCH = Workload(
    "Service B alone, batch of 1,000", lambda _, b: make_predict_batch(b), 1, 1000
)
# Under load, Service A asks for the houses of half its callers in one call.
PREDICT_CALL = Workload("Service B alone, batch of 24", lambda _, b: make_predict_batch(b), 1, 24)
PUBLIC_BATCH = Workload("public batch of 1,000", make_public_batch, 1, 1000)


@dataclass(frozen=True)
class Figure:
    """One figure of both variants, and the second as a share of the first."""

    first: float
    second: float
    ratios: Ratios


@dataclass(frozen=True)
class Comparison:
    """What came of one workload; speed is in requests per second, or in houses of its batches."""

    workload: Workload
    speed: Figure
    cpu_us_per_request: Figure
    failures: int


def compare_variants(
    bench: Bench, variants: Mapping[str, Lineup], workloads: Sequence[Workload]
) -> tuple[list[Comparison], list[Sample]]:
    """Load two variants one after the other in each round.

    Raises:
        WrongAnswer: they don't give the same prices.
    """
    services = {}
    for name, lineup in variants.items():
        lineup.scratch.mkdir(parents=True)
        services[name] = lineup.make_services()
    pairs = [
        [_make_case(bench, workload, name, *each) for name, each in services.items()]
        for workload in workloads
    ]
    cases = [case for pair in pairs for case in pair]
    servers = dict.fromkeys(each for case in cases for each in reversed(case.subject.servers))
    with running(servers, bench.plan.say):
        check_answers([case.subject for case in cases], bench.houses[:_CHECKED_HOUSES])
        samples = bench.measure(cases)
    comparisons = [
        _compare(workload, *(select(samples, case) for case in pair))
        for workload, pair in zip(workloads, pairs, strict=True)
    ]
    return comparisons, samples


def _make_case(bench: Bench, workload: Workload, variant: str, a: Server, b: Server) -> Case:
    label = f"{variant}: {workload.name}"
    case = bench.make_case(workload.make_subject(a, b), label, batch=workload.batch)
    return replace(case, connections=workload.connections)


def _compare(workload: Workload, first: Sequence[Sample], second: Sequence[Sample]) -> Comparison:
    return Comparison(
        workload,
        _make_figure(first, second, lambda each: read_speed(each) * (workload.batch or 1)),
        _make_figure(first, second, read_cpu),
        failures=sum(each.load.failures for each in (*first, *second)),
    )


def _make_figure(
    first: Sequence[Sample], second: Sequence[Sample], read: Callable[[Sample], float]
) -> Figure:
    return Figure(
        median(map(read, first)), median(map(read, second)), compare_rounds(second, first, read)
    )


def compare_with_first(
    what: str, workload: Workload, cases: Sequence[Case], samples: Sequence[Sample]
) -> Iterator[Row]:
    """Compare each case under a workload with the first of them; what varies ends their labels."""
    first = select(samples, cases[0])
    for case, row in zip(cases, summarise(cases, samples), strict=True):
        own = select(samples, case)
        speed, cpu = (compare_rounds(own, first, read) for read in (read_speed, read_cpu))
        yield {
            "load": str(workload),
            what: case.label.partition(": ")[2],
            "requests/s": row["requests/s"],
            "speed": f"{speed.median - 1:+.1%}",
            "speed, rounds": f"{speed.lowest - 1:+.1%} to {speed.highest - 1:+.1%}",
            "CPU": f"{cpu.median - 1:+.1%}",
            "CPU, rounds": f"{cpu.lowest - 1:+.1%} to {cpu.highest - 1:+.1%}",
            "p99 ms": row["p99 ms"],
            "failures": row["failures"],
        }
