"""Workers and copies that get part of a processor each, so that three of them fit on two."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median

from benchmarks import postgres
from benchmarks.answers import check_answers
from benchmarks.bench import Bench
from benchmarks.measurement import Case, Sample, running
from benchmarks.processor_limit import limited
from benchmarks.report import Result
from benchmarks.server import Server, find_free_port
from benchmarks.subject import make_process
from benchmarks.summary import Row, compare_rounds, read_speed, select, summarise

_CONNECTIONS = 48  # of which three copies get 16 each
_CHECKED_HOUSES = 20
_SHARE_OF_A, _SHARE_OF_B = 0.15, 0.05
# Two for each copy of Service B; as many where there is one copy.
_FORWARD_CALLS = "6"
# Gives Service A a file of host names of its own, in which one name has several addresses.
_WITH_HOSTS = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"']


@dataclass(frozen=True)
class Group:
    """Servers that are limited, a case for each number of them, and those that aren't limited."""

    what: str
    share: float
    limited: Sequence[Server]
    cases: Mapping[int, Case]
    beside: Sequence[Server]


def measure_scale(bench: Bench) -> Result:
    """One to three workers and copies, each with part of a processor."""
    counts = (1, 3) if bench.plan.quick else (1, 2, 3)
    remarks = []
    rows: list[Row] = []
    samples: list[Sample] = []
    with ExitStack() as stack:
        groups = [make_workers(bench, counts), make_predictors(bench, counts)]
        if postgres.is_installed():
            url = stack.enter_context(postgres.running_postgres())
            groups.insert(1, make_gateways(bench, counts, url))
        else:
            remarks.append("Without PostgreSQL, Service A had no copies.")
        for group in groups:
            own = measure_group(bench, group)
            rows += make_rows(group, own)
            samples += own
    title = "Workers and copies with part of a processor"
    return Result("scale", title, rows, remarks, samples)


def make_workers(bench: Bench, counts: Sequence[int]) -> Group:
    b = bench.lineup.make_service_b()
    gateways = [
        bench.lineup.make_service_a(b, log=f"workers-{count}.db", workers=count) for count in counts
    ]
    cases = {
        count: _make_case(bench, a.name, [a], [b])
        for count, a in zip(counts, gateways, strict=True)
    }
    return Group("workers of Service A, log in SQLite", _SHARE_OF_A, gateways, cases, [b])


def make_gateways(bench: Bench, counts: Sequence[int], log_url: str) -> Group:
    b = bench.lineup.make_service_b()
    gateways = []
    for number in range(1, max(counts) + 1):
        gateways.append(bench.lineup.make_service_a(b, settings={"INPUT_LOG_URL": log_url}))
        gateways[-1].name += f", copy {number}"
    cases = {
        count: _make_case(bench, f"copies of Service A: {count}", gateways[:count], [b])
        for count in counts
    }
    return Group("copies of Service A, log in PostgreSQL", _SHARE_OF_A, gateways, cases, [b])


def make_predictors(bench: Bench, counts: Sequence[int]) -> Group:
    lineup = bench.lineup
    port = find_free_port()
    copies = []
    for number in range(1, max(counts) + 1):
        copies.append(lineup.make_service_b(host=f"127.0.1.{number}", port=port))
        copies[-1].name += f", copy {number}"
    gateways = []
    for count in counts:
        hosts = bench.plan.scratch / f"hosts-{count}"
        hosts.write_text("".join(f"{b.host} service-b\n" for b in copies[:count]))
        settings = {
            "SERVICE_B_URL": f"http://service-b:{port}/predict",
            "GATEWAY_FORWARD_CALLS": _FORWARD_CALLS,
        }
        within, log = [*_WITH_HOSTS, str(hosts)], f"copies-{count}.db"
        a = lineup.make_service_a(copies[0], log=log, settings=settings, within=within)
        gateways.append(a)
    cases = {
        count: _make_case(bench, f"copies of Service B: {count}", [a], copies[:count])
        for count, a in zip(counts, gateways, strict=True)
    }
    return Group("copies of Service B behind Service A", _SHARE_OF_B, copies, cases, gateways)


def _make_case(bench: Bench, label: str, gateways: list[Server], models: list[Server]) -> Case:
    subject = make_process(gateways[0], models[0])
    subject = replace(subject, servers=(*gateways, *models), copies=len(gateways))
    return replace(bench.make_case(subject, label), connections=_CONNECTIONS)


def measure_group(bench: Bench, group: Group) -> list[Sample]:
    cases = list(group.cases.values())
    with running([*group.beside, *group.limited], bench.plan.say):
        check_answers([case.subject for case in cases], bench.houses[:_CHECKED_HOUSES])
        for server in group.limited:  # all its processes have started
            server.wait_until_idle()
        processes = [each for server in group.limited for each in server.find_processes()]
        with limited(processes, group.share):
            return bench.measure(cases)


def make_rows(group: Group, samples: Sequence[Sample]) -> Iterator[Row]:
    """Compare each number with the first, and say how much of a processor it used."""
    cases = list(group.cases.values())
    first = select(samples, cases[0])
    names = {server.name for server in group.limited}
    for number, case, row in zip(group.cases, cases, summarise(cases, samples), strict=True):
        own = select(samples, case)
        speed = compare_rounds(own, first, read_speed)
        yield {
            "what": group.what,
            "number": number,
            "processor of each": group.share,
            "processor used": round(median(_read_processors(each, names) for each in own), 2),
            "requests/s": row["requests/s"],
            "times one": round(speed.median, 2),
            "rounds": f"{speed.lowest:.2f} to {speed.highest:.2f}",
            "p50 ms": row["p50 ms"],
            "p99 ms": row["p99 ms"],
            "failures": row["failures"],
        }


def _read_processors(sample: Sample, names: set[str]) -> float:
    """How many processors these servers were on, in the mean."""
    us = sum(cost.cpu_us_per_request for name, cost in sample.costs.items() if name in names)
    return us / 1e6 * sample.load.requests / sample.load.seconds
