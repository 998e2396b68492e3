"""How the services behave besides speed: health checks, memory, start."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median, quantiles

from benchmarks.bench import Bench
from benchmarks.measurement import MOST_CONNECTIONS, running
from benchmarks.probe import probe_health
from benchmarks.report import Result
from benchmarks.subject import make_process
from benchmarks.summary import Row
from benchmarks.wrk import run_wrk


def measure_health(bench: Bench) -> Result:
    """How long `/health` takes, idle and under load."""
    a, b = bench.lineup.make_services()
    seconds = bench.plan.seconds * 2
    case = bench.make_case(make_process(a, b))
    rows: list[Row] = []
    with running([b, a], bench.plan.say), ThreadPoolExecutor(1) as pool:
        run_wrk(case.subject.url, case.bodies, connections=MOST_CONNECTIONS, seconds=1)
        for number in range(1, bench.plan.rounds + 1):
            bench.plan.say(f"round {number}/{bench.plan.rounds}")
            a.wait_until_idle()
            rows.append(_summarise_health("idle", number, probe_health(a, seconds)))
            load = pool.submit(
                run_wrk,
                case.subject.url,
                case.bodies,
                connections=MOST_CONNECTIONS,
                seconds=seconds + 2,
            )
            time.sleep(1)  # into the middle of the load
            rows.append(_summarise_health("64 connections", number, probe_health(a, seconds)))
            load.result()
    return Result(
        "health",
        "/health of Service A under load",
        rows,
        [f"Asked by one caller, {seconds:.0f} s long, with a pause of 10 ms after each answer."],
    )


def _summarise_health(load: str, number: int, waits_ms: Sequence[float]) -> Row:
    return {
        "load": load,
        "round": number,
        "answers": len(waits_ms),
        "p50 ms": round(median(waits_ms), 2),
        "p99 ms": round(quantiles(waits_ms, n=100, method="inclusive")[98], 2),
        "longest ms": round(max(waits_ms), 2),
    }


def measure_memory(bench: Bench) -> Result:
    """Memory of both services over many requests."""
    wanted, most_seconds = (100_000, 10.0) if bench.plan.quick else (1_000_000, 400.0)
    a, b = bench.lineup.make_services()
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
                case.subject.url, case.bodies, connections=MOST_CONNECTIONS, seconds=chunk
            )
            requests += load.requests
            failures += load.failures
    remark = "Resident memory; `/process` with forwarding, 64 connections, all fields."
    return Result("memory", "Memory over many requests", rows, [remark])


def measure_start(bench: Bench) -> Result:
    """From start to healthy."""
    a, b = bench.lineup.make_services()
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
