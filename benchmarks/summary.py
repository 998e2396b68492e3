"""From samples to the rows of a table: medians over the rounds, and how far they spread."""

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.measurement import Case, Sample
from benchmarks.subject import ECHO
from benchmarks.wrk import Load

Row = dict[str, str | float | int]


def summarise(cases: Sequence[Case], samples: Sequence[Sample]) -> list[Row]:
    """Make a row for each number of connections and case.

    A ratio to the FastAPI echo is the median of the ratios within each round. What several
    servers took part in is told for each, as `A + B`.
    """
    rows = []
    for connections in sorted({sample.connections for sample in samples}):
        at = [sample for sample in samples if sample.connections == connections]
        echoes = {each.round: each.load for each in at if each.label == ECHO}
        for case in cases:
            own = [sample for sample in at if sample.label == case.label]
            rows.append(_summarise(case, own) | _compare(own, echoes))
    return rows


def _summarise(case: Case, own: Sequence[Sample]) -> Row:
    speeds = [each.load.requests_per_second for each in own]
    servers = list(own[0].costs)
    cpu = [median(each.costs[name].cpu_us_per_request for each in own) for name in servers]
    memory = [max(each.costs[name].memory_mib for each in own) for name in servers]
    row: Row = {
        "what": case.label,
        "connections": own[0].connections,
        "requests/s": _round(median(speeds)),
        "lowest": _round(min(speeds)),
        "highest": _round(max(speeds)),
    }
    if case.houses_per_request:
        row["houses/s"] = _round(median(speeds) * case.houses_per_request)
    return row | {
        "p50 ms": round(median(each.load.p50_ms for each in own), 2),
        "p99 ms": round(median(each.load.p99_ms for each in own), 2),
        "CPU µs per request": " + ".join(f"{each:,.0f}" for each in cpu),
        "memory MiB": " + ".join(f"{each:,.0f}" for each in memory),
        "processes": " + ".join(str(own[-1].costs[name].processes) for name in servers),
        "failures": sum(each.load.failures for each in own),
    }


def _compare(own: Sequence[Sample], echoes: Mapping[int, Load]) -> Row:
    if not echoes:
        return {}
    loads = [(each.load, echoes[each.round]) for each in own]
    return {
        "speed / echo": round(
            median(load.requests_per_second / echo.requests_per_second for load, echo in loads), 4
        ),
        "p50 / echo": round(median(load.p50_ms / echo.p50_ms for load, echo in loads), 2),
    }


def _round(speed: float) -> float | int:
    return round(speed) if speed >= 100 else round(speed, 1)
