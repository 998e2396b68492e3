"""Connections on which an answer is taken only by the request that it answers.

A broken server may send an answer that nobody asked for; the next request on that connection would
take it for its own. So each call has an id of its own in `X-Request-ID`, and its answer echoes it.
(Where something waits to be read before a request is sent, urllib3 itself drops the connection.)
"""

import secrets
import threading
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from itertools import count
from socket import socket
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.response import HTTPResponse

from gateway.forwarding.final_response import FinalResponse

_HEADER = "X-Request-ID"
# Service B would ignore a longer header.
_MAX_CHARS = 16_384
# An answer that nobody asked for is read by the next call on its connection at the latest.
_MAX_REMEMBERED = 10_000


class CallIds:
    """Makes the id of a call from the ids of its requests. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._remembered: dict[int, None] = {}
        self._token = secrets.token_hex(4)
        self._numbers = count(1)

    def make(self, request_ids: Iterable[str]) -> str:
        """Name each request once, as many as Service B keeps; none is cut in two.

        The same ids may come again, from a caller or with a retry: then a suffix makes a new id.
        """
        joined = ",".join(dict.fromkeys(request_ids))
        call_id = _cut(joined, _MAX_CHARS)
        with self._lock:
            if hash(call_id) in self._remembered:
                more = f",{self._token}-{next(self._numbers)}"
                return _cut(joined, _MAX_CHARS - len(more)) + more
            self._remembered[hash(call_id)] = None
            if len(self._remembered) > _MAX_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
        return call_id


class EchoConnection(HTTPConnection):
    """Raises for an answer that has the id of another request, and ends.

    The first answer on a connection needs no id. It is the last one too, so that a server which
    echoes none can be used, at the cost of a connection for each call. The same goes for an
    answer that shows only that a call failed.
    """

    response_class = FinalResponse
    _call_id: str | None = None
    _answered = False

    def _new_conn(self) -> socket:
        self._answered = False
        return super()._new_conn()

    def request(  # type: ignore[override]  # of http.client, as urllib3 has it too
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self._call_id = headers.get(_HEADER) if headers else None
        super().request(method, url, body, headers, **options)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        response = super().getresponse()
        echoed = response.headers.getlist(_HEADER)  # a proxy may have added one of its own
        if self._call_id is not None and self._call_id not in echoed:
            only_failed = response.status == 413 or response.status >= 500
            if echoed or (self._answered and not only_failed):
                raise HTTPException("answer to another request")
            self._end_after_answer()
        self._answered = True
        return response

    def _end_after_answer(self) -> None:
        """Have the connection closed as soon as the answer is read."""
        if self.sock is not None:
            self.sock.close()  # the answer still holds it
            self.sock = None


def _cut(request_ids: str, max_chars: int) -> str:
    if len(request_ids) <= max_chars:
        return request_ids
    return request_ids[: max_chars + 1].rpartition(",")[0]
