"""What it costs that both services export the spans of requests."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial

from benchmarks.answers import check_answers
from benchmarks.bench import Bench
from benchmarks.lineup import Lineup
from benchmarks.measurement import Case, Sample, running
from benchmarks.report import Result
from benchmarks.server import Server
from benchmarks.span_receiver import SpanReceiver, receiving_spans
from benchmarks.summary import Row, select
from benchmarks.variants import LOG_ONLY, PROCESS, PROCESS_ALONE, Workload, compare_with_first

_WORKLOADS = (PROCESS, PROCESS_ALONE, LOG_ONLY)
_CHECKED_HOUSES = 20
# By default every five; then what is left of a load would be sent during the next ones.
_SENDING_SECONDS = 1

Spans = Counter[tuple[str, int]]
"""How many were received of the loads of a case, by its label and its connections."""


def measure_traces(bench: Bench, workloads: Sequence[Workload] = _WORKLOADS) -> Result:
    """Traces of no request, of all, and of one in a hundred, sent to a receiver."""
    spans: Spans = Counter()
    with receiving_spans() as receiver:
        services = {
            name: _make_services(bench, name, settings)
            for name, settings in _list_settings(receiver.url).items()
        }
        groups = [
            [
                _make_case(bench, workload, name, pair, partial(_count, receiver, spans))
                for name, pair in services.items()
            ]
            for workload in workloads
        ]
        cases = [case for group in groups for case in group]
        servers = [server for pair in services.values() for server in reversed(pair)]
        with running(servers, bench.plan.say):
            check_answers([case.subject for case in cases], bench.houses[:_CHECKED_HOUSES])
            samples = bench.measure(cases)
    rows = [
        row
        for workload, group in zip(workloads, groups, strict=True)
        for row in make_rows(workload, group, samples, spans)
    ]
    return Result("traces", "Traces of requests", rows, samples=samples)


def _list_settings(url: str) -> dict[str, dict[str, str]]:
    exporting = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_BSP_SCHEDULE_DELAY": str(_SENDING_SECONDS * 1000),
    }
    sampler = {
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.01",
    }
    return {"none": {}, "all": exporting, "1 in 100": exporting | sampler}


def _make_services(bench: Bench, name: str, settings: Mapping[str, str]) -> tuple[Server, Server]:
    lineup = Lineup(bench.plan.scratch / name)
    lineup.scratch.mkdir()
    return lineup.make_services(settings)


def _make_case(
    bench: Bench,
    workload: Workload,
    name: str,
    services: tuple[Server, Server],
    count: Callable[[tuple[str, int]], AbstractContextManager[None]],
) -> Case:
    case = bench.make_case(workload.make_subject(*services), f"{workload.name}: {name}")
    key = case.label, workload.connections
    return replace(case, connections=workload.connections, around=partial(count, key))


@contextmanager
def _count(receiver: SpanReceiver, spans: Spans, key: tuple[str, int]) -> Iterator[None]:
    """Count the spans that are received until no more come."""
    before = receiver.spans
    yield
    last = -1
    while last != receiver.spans:
        last = receiver.spans
        time.sleep(1.5 * _SENDING_SECONDS)
    spans[key] += last - before


def make_rows(
    workload: Workload, cases: Sequence[Case], samples: Sequence[Sample], spans: Spans
) -> Iterator[Row]:
    """Compare each case with the first, which sends no spans."""
    rows = compare_with_first("traces", workload, cases, samples)
    for case, row in zip(cases, rows, strict=True):
        requests = sum(each.load.requests for each in select(samples, case))
        received = spans[case.label, case.connections]
        yield row | {"spans per request": round(received / max(1, requests), 2)}
