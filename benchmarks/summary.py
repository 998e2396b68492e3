"""From samples to the rows of a table: medians over the rounds, and how far they spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measurement import Case, Sample
from benchmarks.subject import ECHO

Row = dict[str, str | float | int]


@dataclass(frozen=True)
class Ratios:
    """How a figure compares with that of another case, taken within each round."""

    median: float
    lowest: float
    highest: float


def compare_rounds(
    own: Sequence[Sample], others: Sequence[Sample], read: Callable[[Sample], float]
) -> Ratios:
    """Divide a figure by the same one of the other case; both have a sample for each round."""
    ratios = [read(each) / read(other) for each, other in zip(own, others, strict=True)]
    return Ratios(median(ratios), min(ratios), max(ratios))


def read_speed(sample: Sample) -> float:
    """Requests per second."""
    return sample.load.requests_per_second


def read_cpu(sample: Sample) -> float:
    """Processor time of all servers that took part, in µs per request."""
    return sum(cost.cpu_us_per_request for cost in sample.costs.values())


def select(samples: Sequence[Sample], case: Case) -> list[Sample]:
    """Give a case's own samples, one for each round."""
    key = (case.label, case.connections)
    return [each for each in samples if (each.label, each.connections) == key]


def summarise(cases: Sequence[Case], samples: Sequence[Sample]) -> list[Row]:
    """Make a row for each case, with ratios to the FastAPI echo where that was measured too.

    What several servers took part in is given for each, as `A + B`.
    """
    rows = []
    for case in cases:
        own = select(samples, case)
        echoes = [
            each for each in samples if (each.label, each.connections) == (ECHO, case.connections)
        ]
        rows.append(_summarise(case, own) | (_compare_with_echo(own, echoes) if echoes else {}))
    return rows


def _summarise(case: Case, own: Sequence[Sample]) -> Row:
    speeds = [read_speed(each) for each in own]
    servers = list(own[0].costs)
    cpu = [median(each.costs[name].cpu_us_per_request for each in own) for name in servers]
    memory = [max(each.costs[name].memory_mib for each in own) for name in servers]
    row: Row = {
        "what": case.label,
        "connections": case.connections,
        "requests/s": round_figure(median(speeds)),
        "lowest": round_figure(min(speeds)),
        "highest": round_figure(max(speeds)),
    }
    if case.houses_per_request:
        row["houses/s"] = round_figure(median(speeds) * case.houses_per_request)
    return row | {
        "p50 ms": round(median(each.load.p50_ms for each in own), 2),
        "p99 ms": round(median(each.load.p99_ms for each in own), 2),
        "CPU µs per request": " + ".join(f"{each:,.0f}" for each in cpu),
        "memory MiB": " + ".join(f"{each:,.0f}" for each in memory),
        "processes": " + ".join(str(own[-1].costs[name].processes) for name in servers),
        "failures": sum(each.load.failures for each in own),
    }


def _compare_with_echo(own: Sequence[Sample], echoes: Sequence[Sample]) -> Row:
    return {
        "speed / echo": round(compare_rounds(own, echoes, read_speed).median, 4),
        "p50 / echo": round(compare_rounds(own, echoes, lambda each: each.load.p50_ms).median, 2),
    }


def round_figure(figure: float) -> float | int:
    """Leave three digits or more."""
    return round(figure) if figure >= 100 else round(figure, 1)
