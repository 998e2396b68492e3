"""What takes the spans that both services send, and counts them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class SpanReceiver(ThreadingHTTPServer):
    """Takes `POST /v1/traces` with protobuf, as every receiver of OTLP over HTTP does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.counts: list[int] = []  # by each post; several may come at once

    @property
    def spans(self) -> int:
        return sum(self.counts)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    server: SpanReceiver

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.counts.append(count_spans(content))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@contextmanager
def receiving_spans() -> Iterator[SpanReceiver]:
    """Receive spans in threads of this process."""
    with SpanReceiver() as receiver:
        serving = Thread(target=receiver.serve_forever)
        serving.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            serving.join()


def count_spans(content: bytes) -> int:
    """Count the spans of all scopes of all resources of an `ExportTraceServiceRequest`."""
    return sum(
        1
        for resource in _read_messages(memoryview(content), 1)
        for scope in _read_messages(resource, 2)
        for _ in _read_messages(scope, 2)
    )


def _read_messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """Give the fields of this number; at these levels, all fields are of protobuf's type LEN."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        length, at = _read_varint(message, at)
        if tag >> 3 == number:
            yield message[at : at + length]
        at += length


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number, seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at
