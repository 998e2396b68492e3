"""What it costs callers that a challenger predicts in the shadow of the model that answers them."""

import http.client
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from benchmarks.answers import check_answers
from benchmarks.bench import Bench
from benchmarks.houses import find_version
from benchmarks.lineup import REPOSITORY
from benchmarks.measurement import Case, Sample, count_connections, running
from benchmarks.report import Result
from benchmarks.server import Server
from benchmarks.subject import make_predict
from benchmarks.summary import Ratios, Row, compare_rounds, select, summarise

_SHARES = (None, 0.2, 1.0)
# Connections, and the mean pause of each between an answer and its next request.
_LOADS = ((64, 0), (16, 80))
_CHECKED_HOUSES = 20
# A shadow that had to wait looks again within a third of a second.
_SETTLING_SECONDS = 0.5

Counts = Counter[str]


def measure_shadow(bench: Bench) -> Result:
    """Service B without a challenger, and with one for 20% and for all of the inputs."""
    servers = [_make_server(bench, share) for share in _SHARES]
    first = [bench.make_case(make_predict(each), each.name) for each in servers]
    found: dict[str, Counts] = {}
    cases = []
    for connections, pause_ms in _LOADS:
        for server, share, case in zip(servers, _SHARES, first, strict=True):
            label = f"{_describe(connections, pause_ms)}: {server.name}"
            counts = found[label] = Counter()
            around = partial(_count, server, share, counts)
            cases.append(
                replace(
                    case,
                    label=label,
                    connections=connections,
                    pause_ms=pause_ms,
                    around=around,
                )
            )
    with running(servers, bench.plan.say):
        check_answers([each.subject for each in first], bench.houses[:_CHECKED_HOUSES])
        samples = bench.measure(cases)
    rows = list(make_rows(cases, samples, found))
    return Result("shadow", "A challenger in the shadow", rows, samples=samples)


def _make_server(bench: Bench, share: float | None) -> Server:
    """Make a Service B whose challenger is a copy of its champion."""
    name = "no challenger" if share is None else f"share {share:g}"
    folder = bench.plan.scratch / name
    champion = find_version(REPOSITORY)
    for version in ("1", "2"):
        copy = shutil.copytree(champion, folder / "ames" / version)
        card = json.loads((copy / "card.json").read_text(encoding="utf-8"))
        (copy / "card.json").write_text(json.dumps(card | {"version": version}), encoding="utf-8")
    alias = {"champion": "1", "aliases": {"challenger": "2"}}
    (folder / "ames/alias.json").write_text(json.dumps(alias), encoding="utf-8")
    entry = {"name": "ames", "default": True, "sources": ["ames"]}
    if share is not None:
        entry["challenger"] = {"share": share}
    models = folder / "models.yaml"  # JSON is YAML, too
    models.write_text(json.dumps({"models": [entry]}), encoding="utf-8")
    server = bench.lineup.make_service_b(settings={"PREDICTOR_MODELS": str(models)})
    server.name = name
    return server


@contextmanager
def _count(server: Server, share: float | None, counts: Counts) -> Iterator[None]:
    """Count what the challenger is asked about meanwhile, and what is dropped."""
    if share is None:
        yield
        return
    before = _read_counts(server)
    yield
    after = _read_counts(server)
    while True:  # what waits is predicted now that nobody calls
        time.sleep(_SETTLING_SECONDS)
        last, after = after, _read_counts(server)
        if last == after:
            break
    counts.update(after - before)


def _read_counts(server: Server) -> Counts:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("GET", "/models/ames/challenger")
        state = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return Counter({name: state[name] for name in ("compared", "failed", "dropped")})


def make_rows(
    cases: Sequence[Case], samples: Sequence[Sample], found: dict[str, Counts]
) -> Iterator[Row]:
    """Compare each case with the one of the same load that has no challenger."""
    for case, row in zip(cases, summarise(cases, samples), strict=True):
        load, _, what = case.label.partition(": ")
        alone = next(each for each in cases if each.label.startswith(f"{load}: "))
        own, others = select(samples, case), select(samples, alone)
        p99 = compare_rounds(own, others, lambda each: each.load.p99_ms)
        speed = compare_rounds(own, others, lambda each: each.load.requests_per_second)
        counts = found[case.label]
        yield {
            "load": load,
            "challenger": what,
            "requests/s": row["requests/s"],
            "speed": _write_change(speed),
            "p50 ms": row["p50 ms"],
            "p99 ms": row["p99 ms"],
            "p99, rounds": _write_change(p99),
            "compared": counts["compared"],
            "failed": counts["failed"],
            "dropped": counts["dropped"],
            "failures": row["failures"],
        }


def _write_change(ratios: Ratios) -> str:
    changes = (each - 1 for each in (ratios.median, ratios.lowest, ratios.highest))
    return "{:+.1%} ({:+.1%} to {:+.1%})".format(*changes)


def _describe(connections: int, pause_ms: int) -> str:
    pauses = f", pauses of {pause_ms} ms" if pause_ms else ""
    return f"{count_connections(connections)}{pauses}"
