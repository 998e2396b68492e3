import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from training.errors import TrainingError
from training.export import API_KEY
from training.market import Sale
from training.sending import Gateway, Sent, send_sales

SALES = [Sale(f"market-{number}", {"area": number}, 1000.0 + number) for number in range(6)]


class FakeServiceA(ThreadingHTTPServer):
    """Logs what it gets; its model fails from the input `fails_at` on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.log: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.fails_at: int | None = None
        self.key: str | None = None
        self.name = "Service A"

    def answer(self, path: str, request_id: str | None, body: Any) -> tuple[int, Any]:
        if path == "/health":
            return 200, {"service": self.name}
        if path.startswith("/inputs/"):
            record = self.log.get(path.removeprefix("/inputs/"))
            return (200, record) if record else (404, {"detail": "The log has none"})
        self.calls.append(path)
        if path == "/actuals":
            for each in body["actuals"]:
                self.log[each["request_id"]]["actual_price"] = each["price"]
            return 200, {"recorded": len(body["actuals"]), "unknown": []}
        record = {
            "request_id": request_id,
            "outcome": "predicted",
            "model_version": "7",
            "actual_price": None,
            "data": body,
        }
        self.log[str(request_id)] = record
        if self.fails_at is not None and len(self.log) > self.fails_at:
            record["outcome"] = "unavailable"
            return 503, {"detail": "Service B is unavailable"}
        if path == "/process":
            return 200, {"model_prediction": {"prediction": {"model_version": "7"}}}
        return 200, {"predictions": [{}], "model_version": "7"}


class _Handler(BaseHTTPRequestHandler):
    server: FakeServiceA

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Any) -> None:
        status, content = self.server.answer(self.path, self.headers["X-Request-ID"], body)
        if self.server.key and self.headers["X-API-Key"] != self.server.key:
            status, content = 401, {"detail": "no key"}
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def service_a() -> Iterator[FakeServiceA]:
    with FakeServiceA() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def send(service_a: FakeServiceA, *, model: str = "ames", actuals: bool = False) -> Sent:
    return send_sales(Gateway(service_a.url, model), SALES, 10_000, actuals=actuals)


def test_each_sale_is_sent_and_then_its_price_reported(service_a: FakeServiceA) -> None:
    sent = send(service_a, actuals=True)
    assert sent == Sent(new=6, reported=6, versions={"7": 6})
    assert service_a.calls == ["/process"] * 6 + ["/actuals"]
    assert {record["actual_price"] for record in service_a.log.values()} == {
        sale.price for sale in SALES
    }
    assert service_a.log["market-3"]["data"] == {"data": {"area": 3}}


def test_nothing_is_sent_or_reported_twice(service_a: FakeServiceA) -> None:
    send(service_a)
    assert send(service_a, actuals=True) == Sent(reported=6, versions={"7": 6})
    assert send(service_a, actuals=True) == Sent(versions={"7": 6})
    assert service_a.calls == ["/process"] * 6 + ["/actuals"]


def test_what_was_stopped_in_the_middle_goes_on_there(service_a: FakeServiceA) -> None:
    service_a.fails_at = 3
    with pytest.raises(TrainingError, match="status 503: Service B is unavailable"):
        send(service_a, actuals=True)
    service_a.fails_at = None
    assert send(service_a, actuals=True) == Sent(
        new=2, not_predicted=1, reported=5, versions={"7": 5}
    )


def test_instances_of_another_model_go_to_its_own_call(service_a: FakeServiceA) -> None:
    assert send(service_a, model="california").versions == {"7": 6}
    assert set(service_a.calls) == {"/api/v1/predict"}


def test_rate_is_bounded(service_a: FakeServiceA, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("training.sending.time.sleep", waits.append)
    send_sales(Gateway(service_a.url, "ames"), SALES, 0.5, actuals=False)
    assert len(waits) == 6
    assert all(1 < wait <= 2 for wait in waits)


def test_key_of_the_environment_is_sent_and_a_missing_one_named(
    service_a: FakeServiceA, monkeypatch: pytest.MonkeyPatch
) -> None:
    service_a.key = "a key"
    monkeypatch.delenv(API_KEY, raising=False)
    with pytest.raises(TrainingError, match=f"wants a key; give a right one in {API_KEY}"):
        send(service_a)
    monkeypatch.setenv(API_KEY, "a key")
    assert send(service_a).new == 6


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "localhost:8000", "http://[", "nonsense"])
def test_wrong_url_is_named(url: str) -> None:
    with pytest.raises(TrainingError, match="no Service A answers at"):
        send_sales(Gateway(url, "ames"), SALES, 1, actuals=False)


def test_another_service_is_not_taken_for_service_a(service_a: FakeServiceA) -> None:
    service_a.name = "Service B"
    with pytest.raises(TrainingError, match="is not Service A"):
        send(service_a)
    assert service_a.calls == []
