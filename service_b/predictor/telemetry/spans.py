"""The spans of a request's stages, below the one that the framework makes of the whole."""

import time

from opentelemetry.trace import (
    Span,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)

from predictor.telemetry.trace import Trace, read_trace


def read_span(request_id: str, traceparent: str) -> Trace:
    """Read the caller's headers; the trace is that of the request's span, if it has one."""
    trace = read_trace(request_id, traceparent)
    span = get_current_span().get_span_context()
    return trace._replace(trace_id=format_trace_id(span.trace_id)) if span.is_valid else trace


def add_stages(tracer: Tracer, request: Span, trace: Trace) -> None:
    """Add a span below the request's for each of its stages."""
    context = set_span_in_context(request)
    clocks_ns = time.time_ns() - time.perf_counter_ns()
    for name, began_at, ended_at in trace.stages.list_stages():
        began_ns, ended_ns = (int(at * 1e9) + clocks_ns for at in (began_at, ended_at))
        tracer.start_span(name, context, start_time=began_ns).end(ended_ns)
