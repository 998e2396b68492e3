"""Loading subjects in interleaved rounds, so that a noisy machine disturbs all alike."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.server import Server
from benchmarks.subject import Subject
from benchmarks.wrk import Load, run_wrk

Say = Callable[[str], None]

MOST_CONNECTIONS = 64
_LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Case:
    """A subject with the bodies that it is sent, each a batch of so many houses if it is one.

    `around` is a context for each load. `pause_ms` is the mean pause between two requests.
    """

    label: str
    subject: Subject
    bodies: Path
    houses_per_request: int | None = None
    connections: int = MOST_CONNECTIONS
    pause_ms: int = 0
    around: Callable[[], AbstractContextManager[None]] = nullcontext


def count_connections(count: int) -> str:
    """Write `1 connection`, `64 connections`."""
    return f"{count} connection{'s' * (count != 1)}"


def spread(cases: Sequence[Case], connection_counts: Sequence[int]) -> list[Case]:
    """Repeat the cases with each number of connections."""
    return [replace(case, connections=count) for count in connection_counts for case in cases]


@dataclass(frozen=True)
class Cost:
    """What a server took. A request that was cut off at the end cost something too."""

    cpu_us_per_request: float
    memory_mib: float
    processes: int


@dataclass(frozen=True)
class Sample:
    """One run of the load generator on one case, and its cost by the servers' names."""

    label: str
    connections: int
    round: int
    load: Load
    costs: dict[str, Cost]


@contextmanager
def running(servers: Iterable[Server], say: Say) -> Iterator[None]:
    """Start servers in this order; stop them in the opposite one."""
    started: list[Server] = []
    try:
        for server in servers:
            started.append(server)
            say(f"starting {server.name}")
            server.start()
        yield
    finally:
        for server in reversed(started):
            server.stop()


def measure(cases: Sequence[Case], *, rounds: int, seconds: float, say: Say) -> list[Sample]:
    """Load each case once per round, after a warm-up of a second.

    Where no request ended, nothing was measured: the load is repeated, each time twice as long.
    """
    for case in {case.label: case for case in cases}.values():
        say(f"warming up {case.label}")
        _load(case, 1)
    samples = []
    for number in range(1, rounds + 1):
        for case in cases:
            sample = _take_sample(case, number, seconds)
            longer = 2 * seconds
            while sample.load.requests + sample.load.failures == 0 and longer <= _LONGEST_SECONDS:
                say(f"no request of {case.label} ended; loading it for {longer:g} s")
                sample = _take_sample(case, number, longer)
                longer *= 2
            samples.append(sample)
            speed = sample.load.requests_per_second
            say(
                f"round {number}/{rounds}, {case.label}, "
                f"{count_connections(case.connections)}: {speed:,.0f} requests/s"
            )
    return samples


def _take_sample(case: Case, number: int, seconds: float) -> Sample:
    servers = case.subject.servers
    for server in servers:
        server.wait_until_idle()
    with case.around():
        before = [server.read_cpu_seconds() for server in servers]
        load = _load(case, seconds)
        after = [server.read_cpu_seconds() for server in servers]
    costs = {
        server.name: Cost(
            cpu_us_per_request=(end - start) / max(1, load.requests) * 1e6,
            memory_mib=server.read_memory_mib(),
            processes=len(server.find_processes()),
        )
        for server, start, end in zip(servers, before, after, strict=True)
    }
    return Sample(case.label, case.connections, number, load, costs)


def _load(case: Case, seconds: float) -> Load:
    return run_wrk(
        case.subject.url,
        case.bodies,
        ports=case.subject.ports,
        connections=case.connections,
        seconds=seconds,
        pause_ms=case.pause_ms,
    )
