"""The calls to Service B as spans, where spans are exported."""

from collections.abc import Sequence

from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    set_span_in_context,
)

from gateway.errors import GatewayError
from gateway.forwarding.calls import Calls, find_outcome
from gateway.intake.entries import Answer, Forward, OutcomeKind
from gateway.telemetry.events import Watchers
from gateway.telemetry.passage import Call
from gateway.telemetry.spans import read_traceparent, write_traceparent


class TracedCalls(Calls):
    """Has a span for each call, in the trace of one of its callers, with links to all of them."""

    def __init__(self, watchers: Watchers, tracer: Tracer) -> None:
        super().__init__(watchers)
        self._tracer = tracer
        self._spans: dict[Call, Span] = {}

    def begin(self, forwards: Sequence[Forward]) -> Call:
        call = super().begin(forwards)
        callers = [
            read_traceparent(each) for each in dict.fromkeys(each.traceparent for each in forwards)
        ]
        # One whose trace is kept, if there is one: otherwise nobody would see the call.
        parent = next((each for each in callers if each.trace_flags.sampled), callers[0])
        span = self._tracer.start_span(
            "predict",
            set_span_in_context(NonRecordingSpan(parent)),
            SpanKind.CLIENT,
            {"call": call.number, "inputs": call.inputs, "callers": call.callers},
            [Link(each) for each in callers] if len(callers) > 1 else (),
        )
        call.traceparent = write_traceparent(span)
        self._spans[call] = span
        return call

    def end(self, call: Call, results: Sequence[Answer | GatewayError] | None) -> None:
        super().end(call, results)
        span = self._spans.pop(call)
        outcome = find_outcome(results)
        span.set_attribute("outcome", outcome)
        if outcome == OutcomeKind.UNAVAILABLE:
            span.set_status(StatusCode.ERROR)
        span.end()
