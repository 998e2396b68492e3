"""HTTP as httptools reads it, within the limits."""

import asyncio
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.serving.bounded_protocol import (
    INVALID,
    LONG_FRAMING,
    LONG_HEAD,
    OVER_BUDGET,
    TOO_BUSY,
    BoundedProtocol,
    Refused,
    close_if_unasked,
)
from gateway.serving.head_check import OTHER_VERSION, add_path, check_head
from gateway.serving.limits import MAX_HEAD_BYTES, MAX_HEAD_FIELDS, Limits

# What the parser gets at once, so that it never runs far beyond a limit; and of a body whose length
# is known, which has no limit but the budget.
_SLICE_BYTES = 4096
_BODY_SLICE_BYTES = 64 * 1024
# A request that waits for its turn takes about this much besides its body.
_WAITING_BYTES = 4096
_LONG_URL_BYTES = MAX_HEAD_BYTES // 2


class BoundedHttpToolsProtocol(BoundedProtocol, HttpToolsProtocol):
    """uvicorn's protocol with httptools, within the limits."""

    pipeline: deque[Any]

    def __init__(self, limits: Limits, *arguments: Any, **options: Any) -> None:
        super().__init__(limits, *arguments, **options)
        self._idle = limits.waits.idle
        self._bodies = limits.waits.bodies
        self._task: asyncio.Task[None]
        self._unread = b""  # what came after the requests that are under way
        self._framing_bytes = 0  # of a body, since its last chunk began
        self._received_bytes = 0  # of a body

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if len(data) <= _SLICE_BYTES and not self.pipeline and not self._unread:
            self._feed(data)
        else:
            self._read(self._unread + data)

    def eof_received(self) -> bool:  # type: ignore[override]
        return super().eof_received() or bool(self.pipeline or self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._body_bytes and self._is_under_way():
            # The application still has the body, or what it has made of it.
            taken, self._body_bytes = self._body_bytes, 0
            self._task.add_done_callback(lambda _: self._budget.give_back(taken))
        super().connection_lost(exc)

    def refuse(self, status: int, detail: str) -> None:
        self._unread = b""
        if self.pipeline or (self._is_under_way() and not self.cycle.more_body):
            self._refused = True
            self._refusal = (status, detail)
        else:
            super().refuse(status, detail)

    def _read(self, data: bytes) -> None:
        """Read up to the first request that has to wait for its turn."""
        self._unread = b""
        start = 0
        while start < len(data):
            if self._refused:
                return
            if self.pipeline:
                self._unread = data[start:]
                self.flow.pause_reading()
                break
            end = start + max(_SLICE_BYTES, min(self._count_body_left(), _BODY_SLICE_BYTES))
            self._feed(data[start:end])
            start = end
        if self._unread and not self._hold_all():
            self.refuse(503, TOO_BUSY)

    def _count_body_left(self) -> int:
        """Return how many bytes are to come of the body under way, 0 if that isn't known."""
        cycle = self.cycle
        if cycle is None or cycle.scope is not self.scope or not cycle.more_body:
            return 0
        length = int(dict(self.scope["headers"]).get(b"content-length", 0))
        return max(0, length - self._received_bytes)

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._ignore_offer(data[offer.args[0] :])
            return
        except httptools.HttpParserError as error:
            reason = error.__context__
            if isinstance(reason, Refused):
                self.refuse(reason.status, str(reason))
            elif self.parser.get_http_version() in ("0.0", "1.0", "1.1"):  # 0.0 is none yet
                self.refuse(400, INVALID)
            else:
                self.refuse(505, OTHER_VERSION)
            return
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope:
            if cycle.more_body:
                self._read_more_of_body(len(data))
        elif self.scope is not None:
            self._read_more_of_head(len(data))

    def _read_more_of_body(self, size: int) -> None:
        self._framing_bytes += size
        if self._framing_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_HEAD_FIELDS:
            self.refuse(400, LONG_FRAMING)
        elif not self.cycle.response_complete:
            if not self._take_body(size):
                self.cycle.message_event.set()
            if not self.pipeline:
                self._wait_for_body()

    def _read_more_of_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES + _SLICE_BYTES or len(self.headers) > MAX_HEAD_FIELDS:
            refused = self._describe_long_head()
            self.refuse(refused.status, str(refused))
        elif not self._hold_all():
            self.refuse(503, TOO_BUSY)
        elif not self._is_under_way():
            self._wait_for_rest()

    def _describe_long_head(self) -> Refused:
        if len(self.url) > _LONG_URL_BYTES:
            return Refused(
                414, f"The URL and the head are over the limit of {MAX_HEAD_BYTES} bytes"
            )
        return Refused(431, LONG_HEAD)

    def _hold_all(self) -> bool:
        waiting = _WAITING_BYTES * len(self.pipeline)
        return self._hold(self._head_bytes + len(self._unread) + waiting)

    def _ignore_offer(self, rest: bytes) -> None:
        """Read a request that offers to upgrade as one that doesn't (RFC 9110, section 7.8).

        The parser takes the offer for accepted, and so the request for complete with its head
        and what follows for another protocol. A new parser gets the head without the offer.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.refuse(400, INVALID)
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._feed(b"\r\n".join([*lines, b"", rest]))

    # What the parser calls.

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        if len(self.headers) > MAX_HEAD_FIELDS:
            raise self._describe_long_head()
        version = self.parser.get_http_version()
        check_head(self.headers, version)
        if version == "1.0":  # where nobody asks whether to send (RFC 9110, section 10.1.1)
            self.expect_100_continue = False
        if self._head_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > MAX_HEAD_BYTES:
                raise self._describe_long_head()
            self._head_bytes = 0
            self._hold_all()
        if not self.url.startswith(b"/"):
            self.url = add_path(self.url)
        before = self.cycle
        super().on_headers_complete()
        self.headers = []  # what follows are trailers, which nobody needs
        self._framing_bytes = self._received_bytes = 0
        if not self.pipeline:
            if self._idle.pop(self, None) is None:
                self._waits.end(self)
        elif not self._hold_all():
            self.pipeline.popleft()
            self.cycle = before
            raise Refused(503, TOO_BUSY)

    def on_chunk_header(self) -> None:
        self._framing_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._framing_bytes -= len(body)
        self._received_bytes += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            return
        if self._over_budget:
            self.scope["state"][OVER_BUDGET] = True
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        cycle = self.cycle
        cycle.more_body = False
        cycle.message_event.set()
        self._bodies.pop(self, None)
        if cycle.response_complete:
            self._waits.end(self)
            self._wait_for_next()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if cycle.waiting_for_100_continue:
            app = close_if_unasked(app, cycle)
        self._task = self.loop.create_task(cycle.run_asgi(app))
        self._task.add_done_callback(self.tasks.discard)
        self.tasks.add(self._task)

    # What a request calls when its answer is complete.

    def on_response_complete(self) -> None:
        # uvicorn's own would set a timer for each answer.
        self.server_state.total_requests += 1
        if self._body_bytes or self._over_budget:
            self._give_back_body()
        if self.transport.is_closing():
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._hold_all()
            if self._refusal and cycle.more_body:  # it never comes to its end
                super().refuse(*self._refusal)
                return
            self._start_asgi_task(cycle, app)
            if cycle.more_body:
                self._wait_for_body()
        if self._unread:
            self._read(self._unread)
        if self._is_under_way():
            return
        if self._refusal:
            super().refuse(*self._refusal)
            return
        self.flow.resume_reading()
        cycle = self.cycle
        if cycle.more_body or cycle.scope is not self.scope:
            self._wait_for_rest()
        else:
            self._wait_for_next()
