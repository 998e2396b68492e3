"""The limits of a connection, whichever parser reads its requests."""

import asyncio
import json
import logging
import time
from email.utils import formatdate
from http import HTTPStatus
from itertools import takewhile
from typing import Any
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from predictor.serving.limits import MAX_HEAD_BYTES, MAX_HEAD_FIELDS, Limits

_logger = logging.getLogger(__name__)

_RETRY_AFTER_SECONDS = 5
_CLOSE = (b"connection", b"close")

INVALID = "The request is not valid HTTP"
LONG_HEAD = f"The head is over the limit of {MAX_HEAD_BYTES} bytes or {MAX_HEAD_FIELDS} fields"
LONG_FRAMING = "The chunks or the trailers of the body are over the limit"
TOO_BUSY = "Too much is under way"

# In the state of a request's scope: its body isn't whole.
OVER_BUDGET = "over_budget"
LATE = "late"
# The application doesn't keep the body, because it is too large.
DISCARDED = "discarded"


class Refused(Exception):
    """A request isn't read any further; the message is for the caller."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class BoundedProtocol(asyncio.Protocol):
    """Goes before one of uvicorn's protocols, and keeps its callers within the limits.

    uvicorn reads heads of any length, waits for ever for the rest of a request, and takes any
    number of connections.
    """

    # These are uvicorn's.
    transport: asyncio.Transport
    flow: Any
    cycle: Any
    scope: Any
    connections: set[Any]

    def __init__(self, limits: Limits, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        self._waits = limits.waits
        self._budget = limits.budget
        self._head_bytes = 0  # of a head that isn't complete
        self._held_bytes = 0  # that this has taken of the budget, apart from the body
        self._body_bytes = 0  # that the body under way has taken of it
        self._over_budget = False  # so what comes of the body isn't kept
        self._refused = False
        self._refusal: tuple[int, str] | None = None  # for when all before it is answered
        self._ended = False  # the caller sends no more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._waits.watch()
        self._waits.unfinished[self] = time.monotonic()
        if len(self.connections) > self._limits.max_connections:
            self._waits.unfinished.pop(self)
            if self._waits.make_room():
                self._waits.unfinished[self] = time.monotonic()
            else:
                self._refused = True
                self.transport.write(_write_answer(503, "Too many connections are open"))
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waits.forget(self)
        self._hold(0)
        self._give_back_body()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self._refused and not self._refusal:
            self.transport.close()
        else:  # an answer under way comes first; nobody needs a refusal after it
            super().shutdown()  # type: ignore[misc]

    def eof_received(self) -> bool:
        """Stay open for the answer when the caller has closed for sending only."""
        self._ended = True
        return self._is_under_way() and not self.cycle.more_body

    def pause_writing(self) -> None:
        self._waits.unread[self] = time.monotonic()
        super().pause_writing()
        self._waits.bound_unread()

    def resume_writing(self) -> None:
        self._waits.unread.pop(self, None)
        super().resume_writing()

    def give_up(self) -> None:
        if self._head_bytes and not self._refused:
            self.refuse(408, "The head of the request did not arrive in time")
        else:
            self.drop()

    def give_up_body(self) -> None:
        self.scope["state"][LATE] = True
        self.cycle.message_event.set()

    def drop(self) -> None:
        self.transport.abort()

    def count_unread(self) -> int:
        return self.transport.get_write_buffer_size()

    def refuse(self, status: int, detail: str) -> None:
        """Answer in place of the application, and read no more."""
        self._refused = True
        self._waits.end(self)
        self._hold(0)
        cycle = self.cycle
        if cycle is not None and cycle.more_body:
            if cycle.response_started:
                self.drop()
                return
            cycle.disconnected = True  # as far as the application is concerned
            cycle.message_event.set()
        self.flow.resume_reading()  # what comes is discarded
        self.transport.write(_write_answer(status, detail))
        if self._ended or not self.transport.can_write_eof():
            self.transport.close()
        else:
            # To close now would reset the connection of a caller that is still sending, and the
            # answer might be lost.
            self.transport.write_eof()
            self._waits.leaving[self] = time.monotonic()

    def give_way(self) -> None:
        """Do without the body under way, so that one that began earlier can become whole.

        The application finds in the request's state that the body isn't whole.
        """
        self._give_back_body()
        if DISCARDED not in self.scope["state"]:
            self._over_budget = self.scope["state"][OVER_BUDGET] = True
            self.cycle.body = bytearray()
            self.cycle.message_event.set()

    def _take_body(self, size: int) -> bool:
        """Take budget for a piece of a body; once that fails, it fails for the whole body."""
        if DISCARDED in self.scope["state"]:
            self._give_back_body()
            return True
        if self._over_budget or not self._make_room(size):
            self._over_budget = self.scope["state"][OVER_BUDGET] = True
            return False
        self._body_bytes += size
        return True

    def _make_room(self, size: int) -> bool:
        """Take budget, if need be from the bodies that began last.

        If each of many callers kept the part that it has, none would get its body through.
        """
        if self._budget.take(size):
            return True
        bodies = self._waits.bodies
        if self in bodies:
            for other in takewhile(lambda each: each is not self, reversed(bodies)):
                other.give_way()
                if self._budget.take(size):
                    return True
        return False

    def _give_back_body(self) -> None:
        self._budget.give_back(self._body_bytes)
        self._body_bytes = 0
        self._over_budget = False

    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _hold(self, size: int) -> bool:
        """Take this much of the budget, in place of what was taken before, if that much is left."""
        if not self._budget.take(size - self._held_bytes):
            return False
        self._held_bytes = size
        return True

    def _wait_for_next(self) -> None:
        if self._ended:
            self.transport.close()
        else:
            self._waits.idle[self] = time.monotonic()

    def _wait_for_body(self) -> None:
        if self not in self._waits.bodies:
            self._waits.end(self)
            self._waits.bodies[self] = time.monotonic()

    def _wait_for_rest(self) -> None:
        self._waits.bodies.pop(self, None)
        if self._ended:
            self.transport.close()
        elif self not in self._waits.unfinished:
            self._waits.idle.pop(self, None)
            self._waits.unfinished[self] = time.monotonic()


def close_if_unasked(app: ASGIApp, cycle: Any) -> ASGIApp:
    """Have the connection closed if the answer comes in place of a `100 Continue`.

    The caller then sends its body or doesn't, and what comes next may be either the body or
    another request (RFC 9110, section 10.1.1). A caller that has begun to send it sends it all.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_closing(message: Message) -> None:
            if cycle.waiting_for_100_continue and cycle.more_body and not cycle.body:
                headers = [each for each in message["headers"] if each != _CLOSE]
                message["headers"] = [*headers, _CLOSE]
            await send(message)

        await app(scope, receive, send_closing)

    return answer


def _write_answer(status: int, detail: str) -> bytes:
    request_id = uuid4().hex
    fields = {"request_id": request_id, "status": status, "detail": detail}
    _logger.warning("request refused", extra={"fields": fields})
    body = json.dumps({"detail": detail}, separators=(",", ":"))
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"date: {formatdate(usegmt=True)}",
        f"content-length: {len(body)}",
        "content-type: application/json",
        f"x-request-id: {request_id}",
        "connection: close",
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        head.append(f"retry-after: {_RETRY_AFTER_SECONDS}")
    return "\r\n".join([*head, "", body]).encode()
