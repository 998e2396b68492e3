"""The request's id and its log line."""

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.telemetry.log_lines import LineHandler
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.trace import Trace, read_trace
from gateway.web.routes.failures import RETRY_AFTER

_HEADER = b"x-request-id"

_logger = logging.getLogger("gateway.request")
# Probes, and Service A for its watchers, ask these again and again: not worth a line each time.
POLLED = {"/health", "/livez", "/metrics", "/models", "/faults"}


class RequestLine:
    """ASGI middleware: every answer carries `X-Request-ID`, every request writes one line
    and is counted. The answer to a `POST` carries `Server-Timing` as well.

    The caller's own id is kept if it is sane. Routes add fields to the line through
    `request.state.log_fields`. An exception that nobody expected is logged with its
    traceback and answered with a bare 500, so that nothing of the inside gets out.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        lines: LineHandler,
        read: Callable[[str, str], Trace] = read_trace,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._lines = lines
        self._read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        trace = self._read(
            headers.get(_HEADER, b"").decode("latin-1"),
            headers.get(b"traceparent", b"").decode("latin-1"),
        )
        header = (_HEADER, trace.request_id.encode())
        ids = {"request_id": trace.request_id, "trace_id": trace.trace_id}
        fields: dict[str, object] = {}
        state = scope.setdefault("state", {})
        state["trace"] = trace
        state["log_fields"] = fields
        posted = scope["method"] == "POST"
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], header]
                if posted:
                    message["headers"].append((b"server-timing", trace.stages.write_header()))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            fields["disconnected"] = True
        except asyncio.CancelledError:  # the service is stopped, and the time for it is over
            fields["stopped"] = True
            if status == 0:
                answer = JSONResponse({"detail": "The service is stopping"}, 503, RETRY_AFTER)
                await answer(scope, receive, send_with_id)
        except Exception:
            _logger.exception("unexpected error", extra={"fields": ids})
            if status == 0:
                answer = JSONResponse({"detail": "Internal error"}, status_code=500)
                await answer(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unknown")
            self._metrics.count_request(route, scope["method"], status, seconds)
            level = logging.DEBUG if scope["path"] in POLLED and status == 200 else logging.INFO
            line = {
                **ids,
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "duration_ms": round(seconds * 1000, 1),
                **fields,
            }
            self._lines.write_request(_logger, level, line)
