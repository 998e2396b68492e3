"""The spans of a request, where spans are exported."""

from opentelemetry.trace import Tracer, get_current_span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.telemetry.spans import add_stages


class RequestSpans:
    """ASGI middleware around `RequestLine`, in the span that the framework makes of a request.

    Names that span by the route, which the framework can't do for a call of the direct routes,
    and adds the stages.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        span = get_current_span()
        if not span.is_recording():
            await self._app(scope, receive, send)
            return

        async def send_naming_span(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("request_id", scope["state"]["trace"].request_id)
                if "route" in scope:
                    path = scope["route"].path
                    span.update_name(f"{scope['method']} {path}")
                    span.set_attribute("http.route", path)
            await send(message)

        await self._app(scope, receive, send_naming_span)
        add_stages(self._tracer, span, scope["state"]["trace"])
