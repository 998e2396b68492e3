"""HTTP and HTTPS connections that keep to a deadline for a whole exchange.

The timeouts of `requests` and urllib3 hold for each read by itself, so a server that sends
a byte now and then keeps a caller waiting for ever. Here each read gets what is left.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

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


class DeadlineTlsSocket(DeadlineSocket, ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        socket.socket.settimeout(self, read_remaining_seconds())
        super().do_handshake(block)

    def send(self, *args: Any) -> int:
        socket.socket.settimeout(self, read_remaining_seconds())
        return super().send(*args)


class DeadlineConnection(EchoConnection):
    socket_class: type[socket.socket] = DeadlineSocket

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        return self.socket_class(made.family, made.type, made.proto, fileno=made.detach())


class DeadlineTlsConnection(DeadlineConnection, HTTPSConnection):
    @property
    def is_connected(self) -> bool:
        waiting = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
        return super().is_connected and not waiting


class DeadlinePool(HTTPConnectionPool):
    ConnectionCls = DeadlineConnection


class DeadlineTlsPool(HTTPSConnectionPool):
    ConnectionCls = DeadlineTlsConnection


PoolClasses = Mapping[str, type[HTTPConnectionPool]]


class DeadlineAdapter(HTTPAdapter):
    """Mounted on a `requests.Session`, makes its calls keep `keep_deadline`.

    Calls by https need `tls`, and trust what it does.
    """

    pool_classes: ClassVar[PoolClasses] = {
        "http": DeadlinePool,
        "https": DeadlineTlsPool,
    }
    tls_socket_class: ClassVar[type[ssl.SSLSocket]] = DeadlineTlsSocket

    def __init__(
        self, tls: ssl.SSLContext | None = None, max_connections: int = DEFAULT_POOLSIZE
    ) -> None:
        self._tls = tls
        if tls is not None:
            tls.sslsocket_class = self.tls_socket_class
        super().__init__(pool_maxsize=max_connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)
        self.poolmanager.pool_classes_by_scheme = self.pool_classes

    def cert_verify(self, *_: Any) -> None:
        """`tls` has all that is trusted; requests would add the public certificates to it."""
