import time

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span

from gateway.telemetry.passage import Call
from gateway.telemetry.spans import add_stages, read_span, read_traceparent, write_traceparent

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

exported = InMemorySpanExporter()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(exported))
tracer = provider.get_tracer("test")


def test_trace_is_that_of_the_span_that_the_request_has() -> None:
    with tracer.start_as_current_span("POST /process") as span:
        trace = read_span("r1", CALLER)

    assert trace.request_id == "r1"
    assert trace.traceparent == write_traceparent(span)
    assert trace.trace_id != CALLER[3:35]


def test_trace_is_that_of_the_caller_when_the_request_has_no_span() -> None:
    trace = read_span("r1", CALLER)

    assert not get_current_span().is_recording()
    assert (trace.request_id, trace.trace_id) == ("r1", CALLER[3:35])


def test_each_stage_is_a_span_of_its_time_below_that_of_the_request() -> None:
    exported.clear()
    call = Call(1, inputs=1, callers=2, traceparent=CALLER)
    with tracer.start_as_current_span("POST /process", end_on_exit=False) as request:
        trace = read_span("r1", "")
    trace.stages.end_reading(1, None)
    trace.stages.call = call
    logged_at = time.perf_counter()
    call.began_at, call.ended_at = logged_at + 1, logged_at + 3
    trace.stages.end_forward(logged_at, [])

    add_stages(tracer, request, trace)

    spans = exported.get_finished_spans()
    assert [span.name for span in spans] == ["read", "log", "wait", "predict"]
    assert all(span.parent == request.get_span_context() for span in spans)
    *_, wait, predict = [(span.end_time or 0) - (span.start_time or 0) for span in spans]
    assert [round(each / 1e9, 3) for each in (wait, predict)] == [1, 2]
    assert abs((spans[1].end_time or 0) - time.time_ns()) < 60e9
    assert [link.context for link in spans[-1].links] == [read_traceparent(CALLER)]
    assert not any(span.links for span in spans[:-1])


def test_call_is_not_a_span_twice_in_the_trace_that_has_it() -> None:
    exported.clear()
    with tracer.start_as_current_span("POST /process", end_on_exit=False) as request:
        trace = read_span("r1", "")
    trace.stages.call = Call(1, inputs=1, callers=1, traceparent=write_traceparent(request))
    trace.stages.end_forward(time.perf_counter(), [])

    add_stages(tracer, request, trace)

    assert [span.name for span in exported.get_finished_spans()] == ["log", "wait"]
