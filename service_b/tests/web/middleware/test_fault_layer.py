import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.settings import Settings
from tests.conftest import HOUSE, WriteVersion


@pytest.fixture
def faulty(settings: Settings, write_version: WriteVersion) -> Iterator[TestClient]:
    write_version()
    with TestClient(create_app(settings.model_copy(update={"faults": True}))) as client:
        yield client


def predict(client: TestClient, path: str = "/predict") -> Any:
    return client.post(path, json={"input": HOUSE})


@pytest.mark.parametrize("path", ["/predict", "/models/tiny/predict"])
def test_predictions_go_wrong_while_a_fault_is_in_force(faulty: TestClient, path: str) -> None:
    faulty.put("/faults/error", json={"seconds": 300, "share": 1})

    failed = predict(faulty, path)
    assert (failed.status_code, failed.json()) == (500, {"detail": "Internal error"})
    assert "X-Request-ID" in failed.headers

    faulty.delete("/faults")
    assert predict(faulty, path).status_code == 200


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("garbage", b"<html>It works!</html>"),
        ("wrong_shape", b'{"prediction":{"price":"a lot"}}'),
    ],
)
def test_answer_is_none_that_a_caller_can_use(
    faulty: TestClient, kind: str, content: bytes
) -> None:
    faulty.put(f"/faults/{kind}", json={"seconds": 300})

    reply = predict(faulty)

    assert (reply.status_code, reply.content) == (200, content)
    assert reply.headers["Content-Type"] == "application/json"


def test_prediction_comes_later_by_the_delay(faulty: TestClient) -> None:
    faulty.put("/faults/delay", json={"seconds": 300, "ms": 50})
    began = time.monotonic()

    assert predict(faulty).status_code == 200

    assert time.monotonic() - began >= 0.05


def test_service_that_is_not_ready_says_so_to_its_probes(faulty: TestClient) -> None:
    faulty.put("/faults/not_ready", json={"seconds": 300})

    assert predict(faulty).json() == {"detail": "Model is not available"}
    health = faulty.get("/health")
    assert (health.status_code, health.headers["Retry-After"]) == (503, "5")
    assert (health.json()["status"], health.json()["model"]) == ("unhealthy", "tiny")
    assert faulty.get("/ping").json() == {"detail": "Model is not available"}
    assert faulty.get("/livez").status_code == 200


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_answer_does_not_come_before_the_fault_ends(faulty: TestClient, kind: str) -> None:
    faulty.put(f"/faults/{kind}", json={"seconds": 1})
    began = time.monotonic()

    reply = predict(faulty)

    assert 0.9 < time.monotonic() - began < 60
    assert reply.content.strip() == b"" if kind == "drip" else "prediction" in reply.json()


def test_only_predictions_are_hit(faulty: TestClient) -> None:
    for kind in ("hang", "drip", "garbage"):
        faulty.put(f"/faults/{kind}", json={"seconds": 300})

    for path in ("/health", "/models", "/metrics", "/ping"):
        assert faulty.get(path).status_code == 200
    faulty.delete("/faults")
