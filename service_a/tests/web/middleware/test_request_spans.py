import asyncio

import pytest
from fastapi.routing import APIRoute
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway.telemetry.spans import read_span
from gateway.web.middleware.request_spans import RequestSpans


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    scope["route"] = APIRoute("/things/{name}", lambda: None)
    scope["state"] = {"trace": read_span("r1", "")}
    await Response("done")(scope, receive, send)


@pytest.mark.parametrize(
    ("sampler", "spans"),
    [
        (
            ALWAYS_ON,
            [("POST /things/{name}", {"request_id": "r1", "http.route": "/things/{name}"})],
        ),
        (ALWAYS_OFF, []),
    ],
)
def test_span_of_a_request_is_named_by_its_route(
    sampler: Sampler, spans: list[tuple[str, dict[str, str]]]
) -> None:
    exported = InMemorySpanExporter()
    provider = TracerProvider(sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exported))
    tracer = provider.get_tracer("test")
    layer = RequestSpans(answer, tracer)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    with tracer.start_as_current_span("POST"):
        scope = {"type": "http", "method": "POST", "path": "/things/x"}
        asyncio.run(layer(scope, receive, send))

    finished = exported.get_finished_spans()
    assert [(span.name, dict(span.attributes or {})) for span in finished] == spans
    assert sent[-1]["body"] == b"done"
