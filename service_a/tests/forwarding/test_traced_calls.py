import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gateway.errors import GatewayError, InputRejected, PredictorUnavailable
from gateway.forwarding.traced_calls import TracedCalls
from gateway.intake.entries import Answer, Forward
from gateway.telemetry.events import Watchers
from gateway.telemetry.spans import read_traceparent

KEPT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_KEPT = "00-1af7651916cd43dd8448eb211c80319c-17ad6b7169203331-00"

exported = InMemorySpanExporter()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(exported))


def make_calls() -> TracedCalls:
    exported.clear()
    return TracedCalls(Watchers(), provider.get_tracer("test"))


def test_call_is_a_span_in_a_trace_that_is_kept_and_links_to_all_callers() -> None:
    calls = make_calls()

    call = calls.begin([Forward(b"1", "r", None, each) for each in (NOT_KEPT, KEPT, KEPT)])
    assert exported.get_finished_spans() == ()
    calls.end(call, [Answer(b"{}", 1.0, "1")])

    (span,) = exported.get_finished_spans()
    assert (span.name, span.kind) == ("predict", SpanKind.CLIENT)
    assert span.parent == read_traceparent(KEPT)
    assert [link.context for link in span.links] == [*map(read_traceparent, (NOT_KEPT, KEPT))]
    # What Service B is sent.
    assert span.context is not None
    assert read_traceparent(call.traceparent).span_id == span.context.span_id
    assert dict(span.attributes or {}) == {
        "call": 1,
        "inputs": 3,
        "callers": 1,  # the forwards carry no passages
        "outcome": "predicted",
    }


def test_call_for_one_caller_has_it_as_parent_and_no_link() -> None:
    calls = make_calls()

    calls.end(calls.begin([Forward(b"1", "r", None, KEPT)]), [InputRejected([])])

    (span,) = exported.get_finished_spans()
    assert (span.parent, span.links) == (read_traceparent(KEPT), ())


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (Answer(b"{}", 1.0, "1"), StatusCode.UNSET),
        (InputRejected([]), StatusCode.UNSET),
        (PredictorUnavailable("down"), StatusCode.ERROR),
    ],
)
def test_only_a_call_without_an_answer_is_an_error(
    result: Answer | GatewayError, status: StatusCode
) -> None:
    calls = make_calls()

    calls.end(calls.begin([Forward(b"1", "r", None, KEPT)]), [result])

    (span,) = exported.get_finished_spans()
    assert span.status.status_code == status
