"""HTTP connections that keep to a deadline for a whole exchange.

The timeouts of `requests` and urllib3 hold for each read by itself, so a server that sends
a byte now and then keeps a caller waiting for ever. Here each read gets what is left.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import ConnectionPool

# So late may an exchange end whose last read began just before its deadline; twice that at most.
_LATENESS_SECONDS = 0.05

_local = threading.local()


@contextmanager
def keep_deadline(deadline: float) -> Iterator[None]:
    """Hold every read and write of this thread's exchanges to a `time.monotonic()` value."""
    _local.deadline = deadline
    try:
        yield
    finally:
        del _local.deadline


class _DeadlineSocket(socket.socket):
    """Sends and reads until the deadline, with as few system calls as it can.

    Each hands over the interpreter's lock, and beside a busy event loop it takes a while to get
    it back.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timeout_seconds = 0.0
        self._unsent: list[Any] = []

    def settimeout(self, _: float | None) -> None:
        """Only the deadline counts."""

    def sendall(self, data: Any, *_: Any) -> None:
        """Keep it: the head and the body of a request are sent in one piece."""
        self._unsent.append(data)

    def recv_into(self, *args: Any) -> int:
        if self._unsent:
            data = b"".join(self._unsent)
            self._unsent.clear()
            self._limit()
            # Who doesn't read all may still have answered.
            with suppress(BrokenPipeError):
                super().sendall(data)
        self._limit()
        return super().recv_into(*args)

    def _limit(self) -> None:
        remaining = _local.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("deadline passed")
        if not 0 <= self._timeout_seconds - remaining <= 2 * _LATENESS_SECONDS:
            self._timeout_seconds = remaining + _LATENESS_SECONDS
            super().settimeout(self._timeout_seconds)


class _DeadlineConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        plain = super()._new_conn()
        return _DeadlineSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())


class _DeadlinePool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection


class DeadlineAdapter(HTTPAdapter):
    """Mounted on a `requests.Session`, makes its plain HTTP calls keep `keep_deadline`.

    Its calls go to one server, not through a proxy, and it sets no cookies: each call would look
    for those anew, which took a sixth of its time.
    """

    _pool: ConnectionPool | None = None

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager = self.poolmanager
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "http": _DeadlinePool}

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> ConnectionPool:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def close(self) -> None:
        self._pool = None  # one that nobody holds closes its connections
        super().close()

    def request_url(self, request: PreparedRequest, _: Any) -> str:
        return request.path_url

    def build_response(self, _: PreparedRequest, resp: Any) -> Response:
        response = Response()
        response.status_code = resp.status
        response.raw = resp
        return response
