import time

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_trace_id, get_current_span

from predictor.telemetry.spans import add_stages, read_span

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

exported = InMemorySpanExporter()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(exported))
tracer = provider.get_tracer("test")


def test_trace_is_that_of_the_span_that_the_request_has() -> None:
    with tracer.start_as_current_span("POST /predict") as span:
        trace = read_span("r1", CALLER)

    trace_id = format_trace_id(span.get_span_context().trace_id)
    assert (trace.request_id, trace.trace_id) == ("r1", trace_id)
    assert trace_id != CALLER[3:35]


def test_trace_is_that_of_the_caller_when_the_request_has_no_span() -> None:
    trace = read_span("r1", CALLER)

    assert not get_current_span().is_recording()
    assert (trace.request_id, trace.trace_id) == ("r1", CALLER[3:35])


def test_each_stage_is_a_span_of_its_time_below_that_of_the_request() -> None:
    exported.clear()
    request = tracer.start_span("POST /predict")
    trace = read_span("r1", "")
    for name in ("check", "predict"):
        trace.stages.end(name)

    add_stages(tracer, request, trace)

    check, predict = exported.get_finished_spans()
    assert (check.name, predict.name) == ("check", "predict")
    assert check.parent == predict.parent == request.get_span_context()
    assert (check.start_time or 0) <= (check.end_time or 0) == predict.start_time
    assert abs((predict.end_time or 0) - time.time_ns()) < 60e9
