"""Loading subjects in interleaved rounds, so that a noisy machine disturbs all alike."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server import Server
from benchmarks.subject import Subject
from benchmarks.wrk import Load, run_wrk

Say = Callable[[str], None]


@dataclass(frozen=True)
class Case:
    """A subject with the bodies that it is sent, each a batch of so many houses if it is one."""

    label: str
    subject: Subject
    bodies: Path
    houses_per_request: int | None = None


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


def measure(
    cases: Sequence[Case],
    connection_counts: Sequence[int],
    *,
    rounds: int,
    seconds: float,
    say: Say,
) -> list[Sample]:
    """Load each case once per round and number of connections, after a warm-up of a second."""
    for case in cases:
        say(f"warming up {case.label}")
        run_wrk(case.subject.url, case.bodies, connections=max(connection_counts), seconds=1)
    samples = []
    for number in range(1, rounds + 1):
        for connections in connection_counts:
            for case in cases:
                sample = _take_sample(case, connections, number, seconds)
                samples.append(sample)
                speed = sample.load.requests_per_second
                say(
                    f"round {number}/{rounds}, {connections:2} connections, "
                    f"{case.label}: {speed:,.0f} requests/s"
                )
    return samples


def _take_sample(case: Case, connections: int, number: int, seconds: float) -> Sample:
    servers = case.subject.servers
    for server in servers:
        server.wait_until_idle()
    before = [server.read_cpu_seconds() for server in servers]
    load = run_wrk(case.subject.url, case.bodies, connections=connections, seconds=seconds)
    after = [server.read_cpu_seconds() for server in servers]
    costs = {
        server.name: Cost(
            cpu_us_per_request=(end - start) / max(1, load.requests) * 1e6,
            memory_mib=server.read_memory_mib(),
            processes=len(server.find_processes()),
        )
        for server, start, end in zip(servers, before, after, strict=True)
    }
    return Sample(case.label, connections, number, load, costs)
