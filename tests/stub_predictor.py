"""A small real HTTP server in Service B's place."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PREDICTION = {
    "prediction": {
        "price": 208500.0,
        "currency": "USD",
        "interval": {"lower": 189000.0, "upper": 230000.0, "coverage": 0.9},
        "model": "ames",
        "model_version": "1",
    },
    "message": "Predicted price: $208,500 (90% interval $189,000 to $230,000)",
}


@dataclass(frozen=True)
class Reply:
    """What is answered whatever was asked."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class _Handler(BaseHTTPRequestHandler):
    server: "StubPredictor"
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append(self.path)
        self.server.released.wait()
        reply = self.server.reply or self.server.compute(request)
        self.send_response(reply.status)
        self.send_header("X-Request-ID", self.headers["X-Request-ID"])
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        pass


def predict(request: dict[str, Any]) -> Reply:
    inputs = request.get("inputs")
    answer = PREDICTION if inputs is None else {"results": [PREDICTION] * len(inputs)}
    return Reply(200, json.dumps(answer).encode())


class StubPredictor(ThreadingHTTPServer):
    """Predicts, or gives `reply` if it is set; holds its answers back while not `released`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply: Reply | None = None
        self.compute: Callable[[dict[str, Any]], Reply] = predict
        self.received: list[str] = []
        self.released = threading.Event()
        self.released.set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.released.set()
        self.shutdown()
        self._thread.join()
        self.server_close()
