"""The benchmarks, run for seconds as a user does, and what their tables make of the figures."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from benchmarks.bench import Bench, Plan
from benchmarks.measurement import Case, Cost, Sample, measure, running
from benchmarks.page import make_table, write_page
from benchmarks.postgres import is_installed, running_postgres
from benchmarks.processor_limit import limited
from benchmarks.revisions import make_rows
from benchmarks.scale import make_gateways, make_predictors, measure_group
from benchmarks.scale import make_rows as make_scale_rows
from benchmarks.server import Server
from benchmarks.span_receiver import count_spans
from benchmarks.subject import Subject
from benchmarks.summary import Ratios, compare_rounds, read_cpu, read_speed
from benchmarks.traces import measure_traces
from benchmarks.tricks import TRICKS, Trick, make_row, measure_trick
from benchmarks.variants import LOG_ONLY, PREDICT, PROCESS, PROCESS_ALONE, Comparison, Figure
from benchmarks.wrk import Load
from tests.running_lab import ROOT

measures = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("wrk") is None or not os.environ.get("CI"),
    reason="needs Linux and wrk, the load generator, and half a minute: runs only in CI",
)


def run_benchmarks(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


@measures
def test_results_are_sane_when_two_revisions_are_measured_for_a_second(tmp_path: Path) -> None:
    finished = run_benchmarks("revisions", "--quick", "--rounds=1", f"--results={tmp_path}")

    assert finished.returncode == 0, finished.stderr
    result: dict[str, Any] = json.loads((tmp_path / "revisions.json").read_text())
    assert len(result["rows"]) == len(result["samples"]) == 10
    assert {row["figure"] for row in result["rows"]} == {
        "requests/s",
        "houses/s",
        "CPU µs per request",
    }
    for row in result["rows"]:
        assert row["failures"] == 0, row
    for sample in result["samples"]:
        assert sample["load"]["requests"] > 0
        assert 0 < sample["load"]["p50_ms"] <= sample["load"]["p99_ms"]
        for cost in sample["costs"].values():
            assert cost["processes"] == 1
            assert 10 < cost["memory_mib"] < 2000
            assert 0 < cost["cpu_us_per_request"] < 1e6
    page = (tmp_path / "README.md").read_text()
    assert page.count("| working tree |") == 1
    assert page.count("% to ") == len(result["rows"])
    for text in (page, json.dumps(result)):
        assert str(ROOT) not in text, "a path of this machine"
    worktrees = subprocess.run(["git", "worktree", "list"], capture_output=True, text=True)
    assert f"{ROOT}/benchmarks/" not in worktrees.stdout, "the other revision is still there"


_SLOW_SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0 if self.path == "/health" else 1.5)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@measures
def test_load_is_repeated_for_longer_when_no_request_ended_in_its_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SLOW_SERVER, "{port}"]
    server = Server("slow", command, cwd=tmp_path, output=tmp_path / "output")
    subject = Subject("slow", (server,), "/", lambda house: house)
    (tmp_path / "bodies").write_text("{}\n")

    with running([server], print):
        case = Case("slow", subject, tmp_path / "bodies", connections=1)
        (sample,) = measure([case], rounds=1, seconds=1, say=print)

    assert sample.load.requests >= 1
    assert sample.load.failures == 0


@measures
def test_service_b_is_much_faster_with_its_fast_path_than_without(tmp_path: Path) -> None:
    plan = Plan(rounds=1, seconds=1, quick=True, base="HEAD", scratch=tmp_path, say=print)
    fast_path = next(each for each in TRICKS if each.plain == "fast_path")

    comparisons, _ = measure_trick(Bench(plan), replace(fast_path, workloads=[PREDICT]))

    assert [each.failures for each in comparisons] == [0]
    assert comparisons[0].speed.ratios.median > 2
    assert comparisons[0].cpu_us_per_request.ratios.median < 0.5


@measures
def test_as_many_watch_as_a_row_says(tmp_path: Path) -> None:
    finished = run_benchmarks("watchers", "--quick", "--rounds=1", f"--results={tmp_path}")

    assert finished.returncode == 0, finished.stderr
    rows = json.loads((tmp_path / "watchers.json").read_text())["rows"]
    assert [row["events"] for row in rows] == ["off", "0 watching", "1 watching", "20 watching"] * 3
    assert [row["failures"] for row in rows] == [0] * 12


@measures
def test_challenger_predicts_when_callers_pause(tmp_path: Path) -> None:
    finished = run_benchmarks("shadow", "--quick", "--rounds=1", f"--results={tmp_path}")

    assert finished.returncode == 0, finished.stderr
    rows = json.loads((tmp_path / "shadow.json").read_text())["rows"]
    assert [row["challenger"] for row in rows] == ["no challenger", "share 0.2", "share 1"] * 2
    assert [row["failures"] + row["failed"] for row in rows] == [0] * 6
    assert [row["compared"] > 0 for row in rows[3:]] == [False, True, True]


@measures
def test_all_spans_of_a_lone_caller_are_received_and_few_with_a_sampler(tmp_path: Path) -> None:
    plan = Plan(rounds=1, seconds=1, quick=True, base="HEAD", scratch=tmp_path, say=print)

    result = measure_traces(Bench(plan), [PROCESS_ALONE])

    assert [row["failures"] for row in result.rows] == [0, 0, 0]
    assert [row["traces"] for row in result.rows] == ["none", "all", "1 in 100"]
    none, every, few = (float(row["spans per request"]) for row in result.rows)
    # On a busy machine, some are received after the load that they belong to.
    assert none < 0.5
    assert round(every) == 5 + 3
    assert few < 1


def test_spans_are_counted_as_protobuf_has_them() -> None:
    spans = [Span(name="x" * 200, trace_id=b"t" * 16) for _ in range(300)]
    scope = InstrumentationScope(name="a scope")
    scopes = [ScopeSpans(scope=scope, spans=spans), ScopeSpans(spans=spans[:1], schema_url="u")]
    resource = Resource(attributes=[KeyValue(key="service.name")])
    resources = [ResourceSpans(resource=resource, scope_spans=scopes), ResourceSpans()]

    content = ExportTraceServiceRequest(resource_spans=resources).SerializeToString()

    assert count_spans(content) == 301


limits = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0 or not os.environ.get("CI"),
    reason="only root may limit a processor; runs only in CI",
)


@limits
def test_process_gets_its_part_of_a_processor_and_no_more() -> None:
    loop = "from time import *\nend = time() + 0.5\nwhile time() < end: pass\nprint(process_time())"
    command = [sys.executable, "-c", loop]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        limited([process.pid], 0.1),
    ):
        seconds, _ = process.communicate()

    assert 0 < float(seconds) < 0.2


@measures
@limits
def test_two_copies_of_service_b_keep_to_their_part_of_a_processor(tmp_path: Path) -> None:
    # In less time there are so few calls that chance gives one copy most of them.
    plan = Plan(rounds=1, seconds=4, quick=True, base="HEAD", scratch=tmp_path, say=print)
    bench = Bench(plan)
    group = make_predictors(bench, [2])

    (sample,) = measure_group(bench, group)

    (row,) = make_scale_rows(group, [sample])
    assert (row["number"], row["failures"]) == (2, 0)
    assert 0 < float(row["processor used"]) < 1.5 * 2 * group.share
    used = [sample.costs[b.name].cpu_us_per_request for b in group.limited]
    assert min(used) > max(used) / 4, "one copy does the work"


@measures
@limits
@pytest.mark.skipif(not is_installed(), reason="needs PostgreSQL")
def test_two_copies_of_service_a_answer_on_one_log(tmp_path: Path) -> None:
    bench = Bench(Plan(rounds=1, seconds=1, quick=True, base="HEAD", scratch=tmp_path, say=print))
    with running_postgres() as url:
        group = make_gateways(bench, [2], url)

        (sample,) = measure_group(bench, group)

    assert sample.load.failures == 0
    used = [sample.costs[a.name].cpu_us_per_request for a in group.limited]
    assert min(used) > max(used) / 4, "one copy does the work"


@measures
def test_models_are_timed_in_process(tmp_path: Path) -> None:
    finished = run_benchmarks("model", "--quick", f"--results={tmp_path}")

    assert finished.returncode == 0, finished.stderr
    rows = json.loads((tmp_path / "model.json").read_text())["rows"]
    alone = {row["what"]: row["alone µs"] for row in rows}
    assert 0 < alone["ames, fast path"] < alone["ames, pipeline"]
    assert 0 < alone["california, fast path"] < alone["california, pipeline"]


def test_a_mistake_is_named_when_there_is_no_such_part(tmp_path: Path) -> None:
    finished = run_benchmarks("nonsense", f"--results={tmp_path}")

    assert finished.returncode == 2
    assert "there is no part nonsense" in finished.stderr
    assert not list(tmp_path.iterdir())


def test_page_of_the_results_is_what_their_files_say(tmp_path: Path) -> None:
    results = ROOT / "benchmarks/results"
    copy = shutil.copytree(results, tmp_path / "results")

    write_page(copy)

    message = "write it anew: ./benchmarks/run.sh --page"
    assert (copy / "README.md").read_text() == (results / "README.md").read_text(), message


@pytest.mark.parametrize("service", ["service_a", "service_b"])
def test_tricks_are_those_that_a_service_can_do_without(service: str) -> None:
    finished = subprocess.run(
        [ROOT / service / ".venv/bin/python", "main.py"],
        cwd=ROOT / service,
        env={"LAB_PLAIN": "nonsense"},
        capture_output=True,
        text=True,
    )

    names = {*re.findall(r"'(\w+)'", finished.stderr)} - {"nonsense"}
    assert names == {each.plain for each in TRICKS} - {"1"}


@pytest.mark.parametrize("trick", TRICKS[:-1], ids=lambda trick: trick.plain)
def test_trick_has_the_modules_that_the_documentation_names(trick: Trick) -> None:
    document = (ROOT / "docs/how-it-works.md").read_text()
    (line,) = [row for row in document.splitlines() if row.startswith(f"| `{trick.plain}` | ")]
    assert f" | {trick.module} " in line
    packages = [ROOT / "service_a/gateway", ROOT / "service_b/predictor"]
    for path in re.findall(r"`([\w/]+(?:/|\.py))`", trick.module + trick.twin):
        assert any((package / path).exists() for package in packages), path


def make_sample(number: int, requests: int, cpu_us: float) -> Sample:
    load = Load(requests, failures=0, seconds=1, p50_ms=1, p99_ms=2)
    costs = {"Service A": Cost(cpu_us, 90, 1), "Service B": Cost(cpu_us / 2, 260, 1)}
    return Sample("a case", 64, number, load, costs)


def test_rounds_are_compared_each_with_the_other_of_its_own() -> None:
    quiet_then_noisy = [make_sample(1, 1000, 100), make_sample(2, 500, 150)]
    a_tenth_faster = [make_sample(1, 1100, 80), make_sample(2, 550, 120)]

    speed = compare_rounds(a_tenth_faster, quiet_then_noisy, read_speed)
    cpu = compare_rounds(a_tenth_faster, quiet_then_noisy, read_cpu)

    assert speed == Ratios(1.1, 1.1, 1.1)
    assert cpu == Ratios(0.8, 0.8, 0.8)


def compare(speed: Ratios, cpu: Ratios) -> Comparison:
    return Comparison(PROCESS, Figure(1000, 1000, speed), Figure(150, 150, cpu), failures=0)


SAME = Ratios(1.0, 0.99, 1.01)


@pytest.mark.parametrize(
    ("speed", "cpu", "marked"),
    [
        (SAME, SAME, []),
        (Ratios(0.98, 0.9, 1.0), Ratios(1.02, 1.0, 1.1), []),
        (Ratios(0.96, 0.9, 1.0), SAME, ["requests/s"]),
        (SAME, Ratios(1.04, 1.0, 1.1), ["CPU µs per request"]),
        (Ratios(1.5, 1.4, 1.6), Ratios(0.5, 0.4, 0.6), []),
    ],
)
def test_figure_is_marked_when_it_is_more_than_3_percent_worse(
    speed: Ratios, cpu: Ratios, marked: list[str]
) -> None:
    rows = list(make_rows("0d95597", compare(speed, cpu)))

    assert [row["figure"] for row in rows if row["more than 3% worse"]] == marked


@pytest.mark.parametrize(
    ("speed", "cpu", "stays"),
    [
        (SAME, SAME, False),
        (Ratios(1.04, 1.03, 1.05), Ratios(0.96, 0.95, 0.97), False),
        (Ratios(1.06, 1.02, 1.1), SAME, True),
        (SAME, Ratios(0.94, 0.9, 0.98), True),
        (Ratios(1.06, 0.98, 1.3), SAME, False),  # a round denies it
    ],
)
def test_trick_stays_when_it_gains_5_percent_under_one_of_its_loads(
    speed: Ratios, cpu: Ratios, stays: bool
) -> None:
    trick = TRICKS[0]
    elsewhere = replace(compare(SAME, SAME), workload=LOG_ONLY)

    rows = [make_row(trick, each) for each in (elsewhere, compare(speed, cpu))]

    (line,) = make_table("tricks", rows)
    assert line["trick"] == f"`{trick.plain}`"
    assert line["log only, 64 connections"] == "+0%, CPU +0%"
    assert line[""] == ("" if stays else "**under 5%: goes**")
