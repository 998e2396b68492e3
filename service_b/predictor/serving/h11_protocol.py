"""HTTP as h11 reads it, within the limits: where there is no httptools, as on Windows."""

import re
import sys
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from predictor.serving.bounded_protocol import (
    INVALID,
    LONG_FRAMING,
    LONG_HEAD,
    TOO_BUSY,
    BoundedProtocol,
    Refused,
    close_if_unasked,
)
from predictor.serving.head_check import OTHER_VERSION, UNKNOWN_CODING, add_path, check_head
from predictor.serving.limits import MAX_HEAD_BYTES, MAX_HEAD_FIELDS, Limits

_REASONS = {501: UNKNOWN_CODING, 505: OTHER_VERSION}
_SCHEME_AND_HOST = re.compile(rb"https?://[^/?#]+", re.IGNORECASE)


class BoundedH11Protocol(BoundedProtocol, H11Protocol):  # type: ignore[misc]
    """uvicorn's protocol with h11, within the limits."""

    def __init__(self, limits: Limits, *arguments: Any, **options: Any) -> None:
        super().__init__(limits, *arguments, **options)
        self.conn = _BoundedParser(self)
        self._loaded_app = self.app
        self.app = self._answer

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        self._settle()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if status in _REASONS:
            self.refuse(status, _REASONS[status])
        elif status == 431 and not self._is_under_way():
            self.refuse(431, LONG_HEAD)
        else:
            self.refuse(400, LONG_FRAMING if status == 431 else INVALID)

    def refuse(self, status: int, detail: str) -> None:
        if self._is_under_way() and not self.cycle.more_body:
            self._refused = True
            self._refusal = (status, detail)
        else:
            super().refuse(status, detail)

    def on_response_complete(self) -> None:
        self._give_back_body()
        if self._refusal and not self.transport.is_closing():
            super().refuse(*self._refusal)
            return
        super().on_response_complete()
        self._unset_keepalive_if_required()  # one timer serves all
        if not self.transport.is_closing():
            if not self._is_under_way():
                self._wait_for_next()
            self._settle()

    def keep(self, size: int) -> bool:
        """Say whether a piece of a body is to be kept."""
        return not self.cycle.response_complete and self._take_body(size)

    def end_body(self) -> None:
        """Note that the body is whole: nobody waits for it, and it gives way to none."""
        self.cycle.more_body = False
        self._waits.bodies.pop(self, None)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await close_if_unasked(self._loaded_app, self.cycle)(scope, receive, send)

    def _settle(self) -> None:
        """Count what h11 keeps, and see what is to be waited for now."""
        if self._refused:
            return
        kept = len(self.conn.trailing_data[0])
        self._head_bytes = kept if self.conn.their_state is h11.IDLE else 0
        if not self._hold(kept):
            self.refuse(503, TOO_BUSY)
        elif self._is_under_way():
            if self.cycle.more_body:
                self._wait_for_body()
            else:
                self._waits.end(self)
        elif kept or self.conn.their_state is not h11.IDLE:
            self._wait_for_rest()

    def _should_upgrade(self) -> bool:
        return False  # an offer to upgrade may be ignored (RFC 9110, section 7.8)


class _BoundedParser(h11.Connection):
    """Counts what a request has."""

    def __init__(self, protocol: BoundedH11Protocol) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._protocol = protocol

    def next_event(self) -> Any:
        event = super().next_event()
        protocol = self._protocol
        if isinstance(event, h11.Request):
            size = len(event.target) + sum(len(n) + len(v) + 4 for n, v in event.headers)
            if size > MAX_HEAD_BYTES or len(event.headers) > MAX_HEAD_FIELDS:
                raise h11.RemoteProtocolError("long head", error_status_hint=431)
            try:
                check_head(list(event.headers), event.http_version.decode())
            except Refused as error:
                raise h11.RemoteProtocolError(str(error), error.status) from error
            if not event.target.startswith(b"/") or b"#" in event.target:
                return _cut_target(event)
        elif isinstance(event, h11.EndOfMessage):
            protocol.end_body()
        elif isinstance(event, h11.Data) and not protocol.keep(len(event.data)):
            return h11.Data(b"")
        return event


def _cut_target(request: h11.Request) -> h11.Request:
    """Leave the path and the query of a target, as httptools does (RFC 9112, section 3.2.2)."""
    start = _SCHEME_AND_HOST.match(request.target)
    target = add_path(request.target)[start.end() if start else 0 :].partition(b"#")[0]
    if not target.startswith(b"/") and target != b"*":
        raise h11.RemoteProtocolError(INVALID)
    return h11.Request(
        method=request.method,
        headers=request.headers,
        target=target,
        http_version=request.http_version,
    )
