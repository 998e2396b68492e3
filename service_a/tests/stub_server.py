"""A small real HTTP server in Service B's place, which can misbehave as well."""

import json
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.client import parse_headers
from pathlib import Path
from typing import Any

# Valid until 2119: a certificate of 127.0.0.1 and localhost, and the one that it is signed by.
CERTIFICATES = Path(__file__).parent / "certificates"

PREDICTION: dict[str, Any] = {
    "prediction": {
        "price": 208500.0,
        "currency": "USD",
        "interval": {"lower": 189000.0, "upper": 230000.0, "coverage": 0.9},
        "model": "ames",
        "model_version": "1",
        "typical": 0.42,
    },
    "message": "Predicted price: $208,500 (90% interval $189,000 to $230,000)",
}

REJECTION = {
    "detail": [
        {
            "type": "less_than_equal",
            "loc": ["body", "input", "overall_qual"],
            "msg": "Input should be less than or equal to 10",
            "input": 99,
            "ctx": {"le": 10.0},
        }
    ]
}


@dataclass(frozen=True)
class Received:
    """A request as it arrived; `connection` tells the connections apart."""

    connection: int
    line: str
    headers: Message
    body: bytes


class Exchange(socketserver.StreamRequestHandler):
    """One connection: requests are read one after the other, each followed by a behaviour."""

    server: "StubServer"
    received: Received  # the latest of this connection

    def handle(self) -> None:
        with suppress(OSError):  # the gateway gave up, or the behaviour ended the connection
            while line := self.rfile.readline():
                headers = parse_headers(self.rfile)
                body = self.rfile.read(int(headers["Content-Length"] or 0))
                connection = self.client_address[1]
                self.received = Received(connection, line.decode(), headers, body)
                self.server.received.append(self.received)
                self.server.behave(self)


Behaviour = Callable[[Exchange], None]


class StubServer(socketserver.ThreadingTCPServer):
    """Answers every request by `behave` until it is closed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, scheme: str = "http", host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), Exchange)
        self._scheme = scheme
        self.received: list[Received] = []
        self._closed = threading.Semaphore(0)
        self.released = threading.Event()
        self.behave: Behaviour = answer(200, PREDICTION)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_address[1]}"

    def wait_until_closed(self) -> None:
        """Wait until one more connection is closed on this side."""
        assert self._closed.acquire(timeout=60)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._scheme == "https":  # shakes hands in the thread of the connection
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATES / "server.pem")
            connection = context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # without a farewell, which a reset must not have
        self._closed.release()

    def close(self) -> None:
        self.released.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


def answer(status: int, content: Any, *headers: str) -> Behaviour:
    """Answer with bytes, or with anything else as JSON, and keep the connection."""

    def behave(exchange: Exchange) -> None:
        request_id = exchange.received.headers["X-Request-ID"]
        echo = [] if request_id is None else [f"X-Request-ID: {request_id}"]
        _send(exchange, write_answer(status, content, *echo, *headers))

    return behave


def write_answer(status: int, content: Any, *headers: str) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = [
        f"HTTP/1.1 {status} Whatever",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def predict(exchange: Exchange) -> None:
    """Predict as Service B does; a house's price is its id, 0 without one."""
    request = json.loads(exchange.received.body)
    results = [
        {
            "prediction": {**PREDICTION["prediction"], "price": float(house.get("id", 0))},
            "message": "Predicted",
        }
        for house in request.get("inputs") or [request["input"]]
    ]
    answer(200, {"results": results} if "inputs" in request else results[0])(exchange)


def send_and_close(content: bytes) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        _send(exchange, content)
        raise ConnectionAbortedError

    return behave


def drip(start: bytes, piece: bytes) -> Behaviour:
    """Send a start, then a piece every now and then, for ever."""

    def behave(exchange: Exchange) -> None:
        _send(exchange, start)
        while not exchange.server.released.wait(0.02):
            _send(exchange, piece)

    return behave


def hang(exchange: Exchange) -> None:
    """Send nothing for ever."""
    exchange.server.released.wait()


def reset(exchange: Exchange) -> None:
    """End the connection as a crashed process does."""
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError


def _send(exchange: Exchange, *parts: bytes) -> None:
    exchange.connection.sendall(b"".join(parts))
