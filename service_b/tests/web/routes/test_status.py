from typing import cast

from fastapi import FastAPI
from fastapi.testclient import TestClient


def test_root_says_who_answers(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.json() == {"service": "Service B - ML Prediction", "status": "running"}


def test_health_names_the_version_that_answers(client: TestClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "service": "Service B",
        "status": "healthy",
        "model": "tiny",
        "model_version": "1",
    }


def test_health_is_503_and_says_why_when_no_model_is_loaded(empty_client: TestClient) -> None:
    answer = empty_client.get("/health")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {
        "service": "Service B",
        "status": "unhealthy",
        "model": "tiny",
        "model_version": None,
        "reason": "a source could not be used; the log says why",
        "may_come": False,
    }


def test_health_is_503_when_the_service_is_about_to_stop(client: TestClient) -> None:
    cast(FastAPI, client.app).state.draining.set()

    answer = client.get("/health")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {
        "service": "Service B",
        "status": "draining",
        "model": "tiny",
        "model_version": "1",
    }
    ping = client.get("/ping")
    assert (ping.status_code, ping.headers["Retry-After"]) == (503, "5")
    assert ping.json() == {"detail": "The service is stopping"}
    assert client.get("/livez").status_code == 200


def test_liveness_and_root_do_not_depend_on_a_model(empty_client: TestClient) -> None:
    answer = empty_client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    assert empty_client.get("/").status_code == 200
