import sqlite3
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.conftest import StartGateway
from tests.log_file import read_inputs


def test_root_says_who_answers(client: TestClient) -> None:
    reply = client.get("/")

    assert reply.status_code == 200
    assert reply.json() == {"service": "Service A - Input Logger", "status": "running"}


def test_gateway_is_healthy_without_service_b(start_gateway: StartGateway, free_port: int) -> None:
    client = start_gateway(SERVICE_B_URL=f"http://127.0.0.1:{free_port}/predict")

    reply = client.get("/health")

    assert reply.status_code == 200
    assert reply.json().items() >= {"service": "Service A", "status": "healthy"}.items()


def test_health_checks_leave_no_input_in_the_log(client: TestClient, log_path: Path) -> None:
    for _ in range(3):
        client.get("/health")

    assert read_inputs(log_path) == []


@pytest.mark.usefixtures("short_wait_for_locks")
def test_gateway_is_unhealthy_only_while_the_log_can_not_be_written(
    client: TestClient, log_path: Path
) -> None:
    assert client.get("/health").status_code == 200
    with closing(sqlite3.connect(log_path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        reply = client.get("/health")

    assert reply.status_code == 503
    assert reply.json().items() >= {"service": "Service A", "status": "unhealthy"}.items()
    assert str(log_path) not in reply.text
    assert client.get("/health").status_code == 200


def test_health_is_503_when_the_gateway_is_about_to_stop(client: TestClient) -> None:
    cast(FastAPI, client.app).state.draining.set()

    reply = client.get("/health")

    assert reply.status_code == 503
    assert reply.json().items() >= {"service": "Service A", "status": "draining"}.items()
    assert client.get("/livez").status_code == 200


def test_gateway_is_alive_when_it_can_not_log(client: TestClient, log_path: Path) -> None:
    log_path.unlink()
    log_path.mkdir()
    assert client.get("/health").status_code == 503

    reply = client.get("/livez")

    assert (reply.status_code, reply.json()) == (200, {"status": "alive"})
