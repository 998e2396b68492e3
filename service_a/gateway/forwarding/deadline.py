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

from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3 import HTTPConnectionPool

from gateway.forwarding.echo import EchoConnection

_local = threading.local()


@contextmanager
def keep_deadline(deadline: float) -> Iterator[None]:
    """Hold every read and write of this thread's exchanges to a `time.monotonic()` value."""
    _local.deadline = deadline
    try:
        yield
    finally:
        del _local.deadline


def read_remaining_seconds() -> float:
    """Return what is left of the time of this thread's exchange.

    Raises:
        TimeoutError: nothing is.
    """
    remaining: float = _local.deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("deadline passed")
    return remaining


class DeadlineSocket(socket.socket):
    """Sends and reads until the deadline."""

    def settimeout(self, _: float | None) -> None:
        """Only the deadline counts."""

    def sendall(self, *args: Any) -> None:
        super().settimeout(read_remaining_seconds())
        super().sendall(*args)

    def recv_into(self, *args: Any) -> int:
        super().settimeout(read_remaining_seconds())
        return super().recv_into(*args)


class DeadlineConnection(EchoConnection):
    socket_class: type[socket.socket] = DeadlineSocket

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        return self.socket_class(made.family, made.type, made.proto, fileno=made.detach())


class DeadlinePool(HTTPConnectionPool):
    ConnectionCls = DeadlineConnection


class DeadlineAdapter(HTTPAdapter):
    """Mounted on a `requests.Session`, makes its plain HTTP calls keep `keep_deadline`."""

    pool_class: type[HTTPConnectionPool] = DeadlinePool

    def __init__(self, max_connections: int = DEFAULT_POOLSIZE) -> None:
        super().__init__(pool_maxsize=max_connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager = self.poolmanager
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "http": self.pool_class}
