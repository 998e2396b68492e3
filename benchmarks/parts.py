"""The parts of the benchmark; each starts what it needs, and can be run alone."""

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmarks.answers import check_answers
from benchmarks.houses import House, keep_fields, make_houses, to_public, write_bodies
from benchmarks.lineup import Lineup, Subject, make_predict, make_process, make_process_log_only
from benchmarks.log_rows import BYTES_PER_ROW, fill_log
from benchmarks.measurement import Case, Sample, Say, measure, running
from benchmarks.probe import has_path, probe_health
from benchmarks.report import Result
from benchmarks.summary import Row, summarise
from benchmarks.wrk import run_wrk

_HOUSES = 500
_CHECKED_HOUSES = 20
_MOST_CONNECTIONS = 64


@dataclass(frozen=True)
class Plan:
    """How long and how thoroughly to measure; where servers may write."""

    rounds: int
    seconds: float
    quick: bool
    scratch: Path
    say: Say


class Bench:
    """What the parts share: the lineup, the houses and the files of bodies."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lineup = Lineup(plan.scratch)
        self.houses = make_houses(self.lineup.card, _HOUSES)
        self._files = 0

    def make_case(
        self, subject: Subject, label: str | None = None, houses: Sequence[House] | None = None
    ) -> Case:
        """Make a case of one house per request."""
        bodies = [subject.write_body(house) for house in houses or self.houses]
        return Case(label or subject.name, subject, self.write(bodies))

    def write(self, bodies: Sequence[object]) -> Path:
        """Write bodies to a file of their own."""
        self._files += 1
        return write_bodies(self.plan.scratch / f"bodies-{self._files}", bodies)

    def measure(self, cases: Sequence[Case], connection_counts: Sequence[int]) -> list[Sample]:
        """Measure as the plan says."""
        return measure(
            cases,
            connection_counts,
            rounds=self.plan.rounds,
            seconds=self.plan.seconds,
            say=self.plan.say,
        )


def compare(bench: Bench) -> Result:
    """Both services, the original way, and the limits."""
    return _compare(bench, "compare", [])


def compare_peers(bench: Bench) -> Result:
    """The same, and MLflow, MLServer, BentoML and LitServe."""
    return _compare(bench, "peers", bench.lineup.make_peers())


def _compare(bench: Bench, part: str, peers: Sequence[Subject]) -> Result:
    lineup = bench.lineup
    b = lineup.make_service_b()
    a = lineup.make_service_a(b)
    subjects = [make_process(a, b), make_process_log_only(a), make_predict(b)]
    subjects += [lineup.make_original(), *peers, *lineup.make_limits()]
    # What is in front of another server is listed before it, and started after it.
    servers = {server.name: server for each in subjects for server in reversed(each.servers)}
    with running(servers.values(), bench.plan.say):
        bench.plan.say("checking that all give the same prices")
        prices = check_answers(subjects, bench.houses[:_CHECKED_HOUSES])
        cases = [bench.make_case(each) for each in subjects]
        samples = bench.measure(cases, (1, 16, _MOST_CONNECTIONS))
    predicting = sum(each.read_price is not None for each in subjects)
    return Result(
        part,
        "Two hops and a log, beside others" if peers else "Two hops and a log",
        summarise(cases, samples),
        [
            f"{predicting} ways to the same model gave the same prices for {len(prices)} houses "
            f"before they were loaded. Then {_HOUSES} distinct houses with all fields, in turn.",
        ],
        samples,
        {each.name: each.settings for each in subjects},
    )


def measure_fields(bench: Bench) -> Result:
    """Cost by the number of fields: 4, 20, all."""
    b = bench.lineup.make_service_b()
    a = bench.lineup.make_service_a(b)
    cases = []
    for subject in (make_process(a, b), make_predict(b)):
        for count in (4, 20, len(bench.houses[0])):
            houses = [keep_fields(bench.lineup.card, house, count) for house in bench.houses]
            cases.append(bench.make_case(subject, f"{subject.name}, {count} fields", houses))
    with running([b, a], bench.plan.say):
        samples = bench.measure(cases, [1, _MOST_CONNECTIONS])
    return Result("fields", "Number of fields", summarise(cases, samples), samples=samples)


def measure_batches(bench: Bench) -> Result:
    """Batches of 1 to 1,000 houses, through Service B and the public contract."""
    b = bench.lineup.make_service_b()
    a = bench.lineup.make_service_a(b)
    batch_b = Subject("Service B /predict/batch", (b,), "/predict/batch", lambda _: None)
    public = Subject("Service A public batch", (a, b), "/api/v1/price/predict/batch", lambda _: None)
    public_houses = [to_public(house, number) for number, house in enumerate(bench.houses)]
    remarks = []
    with running([b, a], bench.plan.say):
        ways = [(batch_b, "inputs", bench.houses)]
        if has_path(a, public.path):
            ways.append((public, "data", public_houses))
        else:
            remarks.append(f"Service A has no {public.path} yet.")
        cases = []
        for subject, field, houses in ways:
            for size in (1, 10, 100, 1000):
                # Of large batches a few, which begin at different houses.
                starts = range(0, _HOUSES, max(1, size // 8))
                bodies = [
                    {field: [houses[(start + i) % _HOUSES] for i in range(size)]}
                    for start in starts
                ]
                label = f"{subject.name}, {size:,} houses"
                cases.append(Case(label, subject, bench.write(bodies), size))
        samples = bench.measure(cases, [1, 4])
    rows = summarise(cases, samples)
    return Result("batches", "Batches", rows, remarks, samples)


def measure_log_sizes(bench: Bench) -> Result:
    """Writing to logs of 0 to 10 million rows."""
    lineup, say = bench.lineup, bench.plan.say
    sizes = [0, 100_000] if bench.plan.quick else [0, 100_000, 1_000_000, 10_000_000]
    free = shutil.disk_usage(bench.plan.scratch).free
    fitting = [size for size in sizes if size * BYTES_PER_ROW < free]
    remarks = [f"No room on the disk for {size:,} rows." for size in sizes if size not in fitting]
    b = lineup.make_service_b()
    gateways, cases = [], []
    for size in fitting:
        log = f"log-{size}.db"
        a = lineup.make_service_a(b, log=log)
        a.name += f", {size:,} rows"
        with running([a], say):
            pass  # makes the tables
        if size:
            say(f"filling a log with {size:,} rows")
            gib = fill_log(bench.plan.scratch / log, size)
            remarks.append(f"{size:,} rows take {gib:.1f} GiB.")
        gateways.append(a)
        for subject in (make_process_log_only(a), make_process(a, b)):
            cases.append(bench.make_case(subject, f"{subject.name}, {size:,} rows"))
    with running([b, *gateways], say):
        samples = bench.measure(cases, [_MOST_CONNECTIONS])
    for size in fitting:
        (bench.plan.scratch / f"log-{size}.db").unlink()
    return Result("log-size", "Size of the log", summarise(cases, samples), remarks, samples)


def measure_workers(bench: Bench) -> Result:
    """One and two processes of Service A on one log."""
    b = bench.lineup.make_service_b()
    gateways = [
        bench.lineup.make_service_a(b, log=f"workers-{count}.db", workers=count)
        for count in (1, 2)
    ]
    cases = [
        bench.make_case(subject, f"{subject.name}, {a.name.partition(' with ')[2]}")
        for a in gateways
        for subject in (make_process(a, b), make_process_log_only(a))
    ]
    with running([b, *gateways], bench.plan.say):
        samples = bench.measure(cases, [1, _MOST_CONNECTIONS])
    rows = summarise(cases, samples)
    remark = "Started as `uvicorn main:app --workers N`; memory includes uvicorn's supervisor."
    return Result("workers", "Workers of Service A", rows, [remark], samples)


def measure_health(bench: Bench) -> Result:
    """How long `/health` takes, idle and under load."""
    b = bench.lineup.make_service_b()
    a = bench.lineup.make_service_a(b)
    seconds = bench.plan.seconds * 2
    case = bench.make_case(make_process(a, b))
    rows: list[Row] = []
    with running([b, a], bench.plan.say), ThreadPoolExecutor(1) as pool:
        run_wrk(case.subject.url, case.bodies, connections=_MOST_CONNECTIONS, seconds=1)
        for number in range(1, bench.plan.rounds + 1):
            bench.plan.say(f"round {number}/{bench.plan.rounds}")
            a.wait_until_idle()
            rows.append(_tell_health("idle", number, probe_health(a, seconds)))
            load = pool.submit(
                run_wrk,
                case.subject.url,
                case.bodies,
                connections=_MOST_CONNECTIONS,
                seconds=seconds + 2,
            )
            time.sleep(1)  # into the middle of the load
            rows.append(_tell_health("64 connections", number, probe_health(a, seconds)))
            load.result()
    return Result(
        "health",
        "/health of Service A under load",
        rows,
        [f"Asked by one caller, {seconds:.0f} s long, with a pause of 10 ms after each answer."],
    )


def _tell_health(load: str, number: int, waits_ms: Sequence[float]) -> Row:
    return {
        "load": load,
        "round": number,
        "answers": len(waits_ms),
        "p50 ms": round(median(waits_ms), 2),
        "p99 ms": round(quantiles(waits_ms, n=100)[98], 2),
        "longest ms": round(max(waits_ms), 2),
    }


def measure_memory(bench: Bench) -> Result:
    """Memory of both services over many requests."""
    wanted, most_seconds = (20_000, 20.0) if bench.plan.quick else (1_000_000, 600.0)
    b = bench.lineup.make_service_b()
    a = bench.lineup.make_service_a(b)
    case = bench.make_case(make_process(a, b))
    rows: list[Row] = []
    requests = failures = 0
    with running([b, a], bench.plan.say):
        started = time.monotonic()
        while True:
            row: Row = {
                "requests": requests,
                "memory A MiB": round(a.read_memory_mib(), 1),
                "memory B MiB": round(b.read_memory_mib(), 1),
                "failures": failures,
            }
            rows.append(row)
            bench.plan.say(", ".join(f"{name} {value:,}" for name, value in row.items()))
            if requests >= wanted or time.monotonic() - started > most_seconds:
                break
            chunk = 5 if bench.plan.quick else 20
            load = run_wrk(
                case.subject.url, case.bodies, connections=_MOST_CONNECTIONS, seconds=chunk
            )
            requests += load.requests
            failures += load.failures
    remark = "Resident memory; `/process` with forwarding, 64 connections, all fields."
    return Result("memory", "Memory over many requests", rows, [remark])


def measure_start(bench: Bench) -> Result:
    """From start to healthy."""
    b = bench.lineup.make_service_b()
    a = bench.lineup.make_service_a(b)
    rows: list[Row] = []
    for server in (b, a):
        times = []
        for _ in range(bench.plan.rounds):
            bench.plan.say(f"starting {server.name}")
            times.append(server.start())
            server.stop()
        row: Row = {
            "what": server.name,
            "seconds": round(median(times), 2),
            "lowest": round(min(times), 2),
            "highest": round(max(times), 2),
        }
        rows.append(row)
    return Result("start", "From start to healthy", rows)


PARTS: dict[str, Callable[[Bench], Result]] = {
    "compare": compare,
    "peers": compare_peers,
    "fields": measure_fields,
    "batches": measure_batches,
    "log-size": measure_log_sizes,
    "workers": measure_workers,
    "health": measure_health,
    "memory": measure_memory,
    "start": measure_start,
}
