"""Large logs, and several processes of a service."""

import shutil

from benchmarks.bench import Bench
from benchmarks.log_rows import BYTES_PER_ROW, fill_log
from benchmarks.measurement import MOST_CONNECTIONS, Case, running, spread
from benchmarks.report import Result
from benchmarks.server import Server
from benchmarks.subject import make_predict, make_process, make_process_log_only
from benchmarks.summary import summarise

_SEVERAL = "Started with `WORKERS=N`; memory includes uvicorn's supervisor."


def measure_log_sizes(bench: Bench) -> Result:
    """Writing to logs of 0 to 10 million rows."""
    lineup, say = bench.lineup, bench.plan.say
    sizes = [0, 100_000] if bench.plan.quick else [0, 100_000, 1_000_000, 10_000_000]
    free = shutil.disk_usage(bench.plan.scratch).free
    fitting = [size for size in sizes if size * BYTES_PER_ROW < free]
    remarks = [f"No room on the disk for {size:,} rows." for size in sizes if size not in fitting]
    b = lineup.make_service_b()
    gateways: list[Server] = []
    cases: list[Case] = []
    for size in fitting:
        log = f"log-{size}.db"
        a = lineup.make_service_a(b, log=log)
        a.name += f", {size:,} rows"
        with running([a], say):
            pass  # makes the tables
        if size:
            say(f"filling a log with {size:,} rows")
            gib = fill_log(bench.plan.scratch / log, size)
            remarks.append(f"{size:,} rows take {gib:.2f} GiB.")
        gateways.append(a)
        cases += [
            bench.make_case(subject, f"{subject.name}, {size:,} rows")
            for subject in (make_process_log_only(a), make_process(a, b))
        ]
    with running([b, *gateways], say):
        samples = bench.measure(cases)
    return Result("log-size", "Size of the log", summarise(cases, samples), remarks, samples)


def measure_workers(bench: Bench) -> Result:
    """One and two processes of Service A on one log."""
    b = bench.lineup.make_service_b()
    gateways = [
        bench.lineup.make_service_a(b, log=f"workers-{count}.db", workers=count) for count in (1, 2)
    ]
    cases = [
        bench.make_case(subject, f"{subject.name}, {a.name.partition(' with ')[2]}")
        for a in gateways
        for subject in (make_process(a, b), make_process_log_only(a))
    ]
    cases = spread(cases, (1, MOST_CONNECTIONS))
    with running([b, *gateways], bench.plan.say):
        samples = bench.measure(cases)
    rows = summarise(cases, samples)
    return Result("workers", "Workers of Service A", rows, [_SEVERAL], samples)


def measure_replicas(bench: Bench) -> Result:
    """One to three processes of Service B, asked by Service A and by callers of their own."""
    models = [bench.lineup.make_service_b(replicas=count) for count in (1, 2, 3)]
    gateways = [
        bench.lineup.make_service_a(b, log=f"replicas-{count}.db")
        for count, b in enumerate(models, start=1)
    ]
    cases = [
        bench.make_case(subject, f"{subject.name}, {b.name.partition(' with ')[2]}")
        for a, b in zip(gateways, models, strict=True)
        for subject in (make_process(a, b), make_predict(b))
    ]
    cases = spread(cases, (1, MOST_CONNECTIONS))
    with running([*models, *gateways], bench.plan.say):
        samples = bench.measure(cases)
    rows = summarise(cases, samples)
    return Result("replicas", "Replicas of Service B", rows, [_SEVERAL], samples)
