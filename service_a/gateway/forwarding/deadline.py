"""HTTP and HTTPS connections that keep to a deadline for a whole exchange.

The timeouts of `requests` and urllib3 hold for each read by itself, so a server that sends
a byte now and then keeps a caller waiting for ever. Here each read gets what is left, and so do
the look-up of the server's name and the attempt at each of its addresses.

A connection is used for a limited time. The next one looks the name up anew, so copies of the
server that are new get their share, and one that stops is left before it has stopped.
"""

import math
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, ClassVar, cast

from requests import PreparedRequest, Response
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from gateway.forwarding.echo import EchoConnection
from gateway.forwarding.name_lookup import look_up

# Connections that were opened together end one after the other.
_LEAST_SHARE_OF_LIFETIME = 0.8

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

    def __init__(self, *args: Any, lifetime_seconds: float = math.inf, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lifetime_seconds = lifetime_seconds
        self._ends_at = math.inf

    @property
    def is_connected(self) -> bool:
        """Say whether the pool may use it once more."""
        return time.monotonic() < self._ends_at and super().is_connected

    def _new_conn(self) -> socket.socket:
        made = self._connect()
        share = random.uniform(_LEAST_SHARE_OF_LIFETIME, 1)  # noqa: S311
        self._ends_at = time.monotonic() + share * self._lifetime_seconds
        return self.socket_class(made.family, made.type, made.proto, fileno=made.detach())

    def _connect(self) -> socket.socket:
        """Look up the name here, and try its addresses, as urllib3 would without a deadline."""
        name = self._dns_host
        try:
            addresses = look_up(name, self._limit(self.timeout))
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no address of {name} in time") from error
        except OSError as error:
            raise NameResolutionError(self.host, self, cast(socket.gaierror, error)) from error
        try:
            for address in addresses[:-1]:
                with suppress(NewConnectionError, ConnectTimeoutError):
                    return self._connect_to(address)
            return self._connect_to(addresses[-1])
        finally:
            self._dns_host = name

    def _connect_to(self, address: str) -> socket.socket:
        self._dns_host = address
        self.timeout = self._limit(self.timeout)
        return super()._new_conn()

    @staticmethod
    def _limit(seconds: float | None) -> float:
        """Give one step of connecting its time, or what is left."""
        remaining = read_remaining_seconds()
        return remaining if seconds is None else min(seconds, remaining)


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

    Calls by https need `tls`, and trust what it does. A connection is used for `lifetime_seconds`.
    """

    pool_classes: ClassVar[PoolClasses] = {
        "http": DeadlinePool,
        "https": DeadlineTlsPool,
    }
    tls_socket_class: ClassVar[type[ssl.SSLSocket]] = DeadlineTlsSocket

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        max_connections: int = DEFAULT_POOLSIZE,
        lifetime_seconds: float = math.inf,
    ) -> None:
        self._tls = tls
        self._lifetime_seconds = lifetime_seconds
        if tls is not None:
            tls.sslsocket_class = self.tls_socket_class
        super().__init__(pool_maxsize=max_connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)
        # A pool hands its connections what it doesn't know itself.
        self.poolmanager.pool_classes_by_scheme = {
            scheme: partial(pool_class, lifetime_seconds=self._lifetime_seconds)
            for scheme, pool_class in self.pool_classes.items()
        }

    def cert_verify(self, *_: Any) -> None:
        """`tls` has all that is trusted; requests would add the public certificates to it."""

    def build_response(self, _: PreparedRequest, resp: Any) -> Response:
        """Make what is read of an answer; requests would also look for cookies in it, and more."""
        response = Response()
        response.status_code = resp.status
        response.raw = resp
        return response
