"""The spans of both services, as a receiver of OTLP gets them."""

import json
import socket
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.otlp_receiver import receive_spans
from tests.running_lab import ONLY_AMES, Lab

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HOUSE = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}
AT_ONCE = 16


class Traced(NamedTuple):
    """What was received, and what the services wrote to their logs."""

    spans: Sequence[tuple[str, Span]]
    lines_a: Sequence[Mapping[str, Any]]
    lines_b: Sequence[Mapping[str, Any]]

    def find(self, trace_id: str) -> dict[tuple[str, str], Span]:
        """Return the spans of a trace by service and name."""
        return {
            (service, span.name): span
            for service, span in self.spans
            if span.trace_id.hex() == trace_id
        }


def process(lab: Lab, **headers: str) -> int:
    answer = requests.post(
        f"{lab.a.url}/process", json={"data": HOUSE}, headers=headers, timeout=20
    )
    return answer.status_code


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """One request with a trace, one that isn't kept, many at once; then both services stop."""
    folder: Path = tmp_path_factory.mktemp("lab")
    with receive_spans() as receiver:
        # Nothing is sent in this time, so all is sent when they stop.
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
            "LOG_FORMAT": "json",
        }
        lab = Lab(folder, service_a=environment, service_b=environment | ONLY_AMES)
        with lab.running():
            assert (
                process(lab, traceparent=f"00-{TRACE}-{CALLER}-01", **{"X-Request-ID": "r1"}) == 200
            )
            assert process(lab, traceparent=f"00-{'1' * 32}-{CALLER}-00") == 200
            with ThreadPoolExecutor(AT_ONCE) as callers:
                assert {*callers.map(lambda _: process(lab), range(2 * AT_ONCE))} == {200}
        lines = [
            [json.loads(line) for line in service.read_output().splitlines()]
            for service in (lab.a, lab.b)
        ]
        assert receiver.paths == {"/v1/traces"}
        yield Traced(receiver.spans, *lines)


def test_spans_of_a_request_in_both_services_are_one_trace(traced: Traced) -> None:
    spans = traced.find(TRACE)

    parents = {name: span.parent_span_id for name, span in spans.items()}
    request, call = spans["service_a", "POST /process"], spans["service_a", "predict"]
    asked = spans["service_b", "POST /predict"]
    assert parents == {
        ("service_a", "POST /process"): bytes.fromhex(CALLER),
        ("service_a", "read"): request.span_id,
        ("service_a", "log"): request.span_id,
        ("service_a", "wait"): request.span_id,
        ("service_a", "predict"): request.span_id,
        ("service_b", "POST /predict"): call.span_id,
        ("service_b", "check"): asked.span_id,
        ("service_b", "predict"): asked.span_id,
    }
    assert [span.kind for span in (request, call, asked)] == [
        Span.SPAN_KIND_SERVER,
        Span.SPAN_KIND_CLIENT,
        Span.SPAN_KIND_SERVER,
    ]
    in_order = [spans["service_a", name] for name in ("read", "log", "wait", "predict")]
    times = [at for span in in_order for at in (span.start_time_unix_nano, span.end_time_unix_nano)]
    assert times[:-2] == sorted(times[:-2])
    attributes = {each.key: each.value for each in request.attributes}
    assert attributes["request_id"].string_value == "r1"
    assert attributes["http.response.status_code"].int_value == 200


def test_lines_of_a_request_name_its_trace(traced: Traced) -> None:
    for lines in (traced.lines_a, traced.lines_b):
        assert [line["trace_id"] for line in lines if line.get("request_id") == "r1"] == [TRACE]


def test_trace_that_its_caller_does_not_keep_is_not_sent(traced: Traced) -> None:
    assert any(line.get("trace_id") == "1" * 32 for line in traced.lines_b)
    assert traced.find("1" * 32) == {}


def test_call_for_many_callers_links_to_each_of_their_spans(traced: Traced) -> None:
    requests_ = {span.span_id: span for _, span in traced.spans if span.name == "POST /process"}
    assert len(requests_) == 1 + 2 * AT_ONCE
    calls = {span.span_id: span for _, span in traced.spans if span.kind == Span.SPAN_KIND_CLIENT}
    linking: dict[bytes, list[bytes]] = defaultdict(list)
    for _, span in traced.spans:
        if span.name == "predict" and span.kind == Span.SPAN_KIND_INTERNAL and span.links:
            linking[span.links[0].span_id].append(span.parent_span_id)
    shared = {span_id: span for span_id, span in calls.items() if span.links}
    assert shared

    for span_id, call in shared.items():
        linked = [link.span_id for link in call.links]
        assert call.parent_span_id in linked
        assert requests_.keys() > {*linked}
        # And those whose trace the call isn't in link to it.
        assert sorted(linking[span_id]) == sorted({*linked} - {call.parent_span_id})
        (asked,) = [span for _, span in traced.spans if span.parent_span_id == span_id]
        assert (asked.name, asked.trace_id) == ("POST /predict/batch", call.trace_id)


def test_checks_of_health_are_not_traced(traced: Traced) -> None:
    # The fixture has waited for it to be 200.
    assert not [span.name for _, span in traced.spans if "/health" in span.name]
    assert not [span for _, span in traced.spans if span.status.code == Status.STATUS_CODE_ERROR]


def test_requests_and_a_stop_do_not_wait_for_an_address_that_hangs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        address = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        # A queue that is soon full, and sent at once.
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": address,
            "OTEL_BSP_SCHEDULE_DELAY": "1",
            "OTEL_BSP_MAX_QUEUE_SIZE": "4",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2",
        }
        gateway = Lab(tmp_path, service_a=environment).a
        gateway.start()
        content = {"data": 1, "forward_to_model": False}
        with requests.Session() as caller:
            began_at = time.monotonic()
            for _ in range(50):
                caller.post(f"{gateway.url}/process", json=content, timeout=20).raise_for_status()
            assert time.monotonic() - began_at < 5
        stopped_at = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - stopped_at < 5
