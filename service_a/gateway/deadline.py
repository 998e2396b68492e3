"""HTTP connections that keep to a deadline for a whole exchange.

The timeouts of `requests` and urllib3 hold for each read by itself, so a server that sends
a byte now and then keeps a caller waiting for ever. Here each read gets what is left.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

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
    def recv_into(self, *args: Any) -> int:
        self._limit()
        return super().recv_into(*args)

    def sendall(self, *args: Any) -> None:
        self._limit()
        super().sendall(*args)

    def _limit(self) -> None:
        remaining = _local.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("deadline passed")
        self.settimeout(remaining)


class _DeadlineConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        plain = super()._new_conn()
        return _DeadlineSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())


class _DeadlinePool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection


class DeadlineAdapter(HTTPAdapter):
    """Mounted on a `requests.Session`, makes its plain HTTP calls keep `keep_deadline`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager = self.poolmanager
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "http": _DeadlinePool}
