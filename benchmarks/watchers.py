"""What it costs that somebody may watch what Service A does, and that some do."""

import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from benchmarks.answers import check_answers
from benchmarks.bench import Bench
from benchmarks.measurement import Case, running
from benchmarks.report import Result
from benchmarks.server import Server
from benchmarks.variants import LOG_ONLY, PROCESS, PROCESS_ALONE, Workload, compare_with_first

_WATCHERS = (0, 1, 20)
_WORKLOADS = (PROCESS, PROCESS_ALONE, LOG_ONLY)
_CHECKED_HOUSES = 20


def measure_watchers(bench: Bench) -> Result:
    """Service A without its page and events, and with them while none, 1 and 20 watch."""
    b = bench.lineup.make_service_b()
    off = bench.lineup.make_service_a(b, log="off.db", settings={"GATEWAY_LAB_PAGE": "0"})
    a = bench.lineup.make_service_a(b)
    groups = [_make_cases(bench, workload, off, a, b) for workload in _WORKLOADS]
    cases = [case for group in groups for case in group]
    with running([b, off, a], bench.plan.say):
        check_answers([case.subject for case in cases], bench.houses[:_CHECKED_HOUSES])
        samples = bench.measure(cases)
    rows = [
        row
        for workload, group in zip(_WORKLOADS, groups, strict=True)
        for row in compare_with_first("events", workload, group, samples)
    ]
    return Result("watchers", "Watchers of the events", rows, samples=samples)


def _make_cases(bench: Bench, workload: Workload, off: Server, a: Server, b: Server) -> list[Case]:
    """Make the case without events, and one for each number of watchers."""
    first = bench.make_case(workload.make_subject(off, b), f"{workload.name}: off")
    case = bench.make_case(workload.make_subject(a, b))
    watched = [
        replace(
            case, label=f"{workload.name}: {count} watching", around=partial(watch, a.port, count)
        )
        for count in _WATCHERS
    ]
    return [replace(each, connections=workload.connections) for each in (first, *watched)]


@contextmanager
def watch(port: int, count: int) -> Iterator[None]:
    """Have so many read the events as fast as they come, in one thread of this process."""
    watchers = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for watcher in watchers:
        watcher.sendall(b"GET /lab/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    stopped = threading.Event()
    thread = threading.Thread(target=_read, args=(watchers, stopped))
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        for watcher in watchers:
            watcher.close()


def _read(watchers: Sequence[socket.socket], stopped: threading.Event) -> None:
    while watchers and not stopped.is_set():
        for watcher in select.select(watchers, (), (), 0.1)[0]:
            if not watcher.recv(1 << 20):
                raise ConnectionError("Service A has ended a watcher's stream")
