"""The spans of a request's stages, below the one that the framework makes of the whole."""

import time

from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    Tracer,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.telemetry.trace import Trace, read_trace

_PROPAGATOR = TraceContextTextMapPropagator()


def read_span(request_id: str, traceparent: str) -> Trace:
    """Read the caller's headers; the trace is that of the request's span, if it has one."""
    trace = read_trace(request_id, traceparent)
    span = get_current_span().get_span_context()
    if not span.is_valid:
        return trace
    return trace._replace(
        trace_id=format_trace_id(span.trace_id),
        span_id=format_span_id(span.span_id),
        trace_flags=f"{span.trace_flags:02x}",
    )


def add_stages(tracer: Tracer, request: Span, trace: Trace) -> None:
    """Add a span below the request's for each of its stages.

    The call to Service B may have been for several requests. It is a span in the trace of one of
    them; in the others, the stage `predict` links to it.
    """
    context = set_span_in_context(request)
    call = trace.stages.call
    clocks_ns = time.time_ns() - time.perf_counter_ns()
    for name, began_at, ended_at in trace.stages.list_stages():
        links = []
        if name == "predict" and call:
            if trace.trace_id in call.traceparent:
                continue
            links = [Link(read_traceparent(call.traceparent))]
        began_ns, ended_ns = (int(at * 1e9) + clocks_ns for at in (began_at, ended_at))
        tracer.start_span(name, context, links=links, start_time=began_ns).end(ended_ns)


def read_traceparent(traceparent: str) -> SpanContext:
    context = _PROPAGATOR.extract({"traceparent": traceparent})
    return get_current_span(context).get_span_context()


def write_traceparent(span: Span) -> str:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, set_span_in_context(span))
    return carrier.get("traceparent", "")
