from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import StartGateway
from tests.stub_server import REJECTION, StubServer, answer

UNAVAILABLE = {"detail": "Service B is unavailable"}


@pytest.fixture
def faulty(start_gateway: StartGateway) -> TestClient:
    return start_gateway(LAB_FAULTS="1", PREDICTOR_API_KEY="inner")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/faults", b""),
        ("DELETE", "/faults", b""),
        ("PUT", "/faults/hang", b'{"seconds":5}'),
        ("DELETE", "/faults/hang", b""),
    ],
)
def test_call_is_passed_on_with_the_key_of_service_b(
    faulty: TestClient, stub: StubServer, method: str, path: str, body: bytes
) -> None:
    stub.behave = answer(200, {"faults": []})

    reply = faulty.request(
        method,
        path.replace("/faults", "/faults/service_b"),
        content=body,
        headers={"Content-Type": "application/json"},
    )

    assert (reply.status_code, reply.json()) == (200, {"faults": []})
    (received,) = stub.received
    assert received.line.startswith(f"{method} {path} ")
    assert received.body == body
    assert received.headers["X-API-Key"] == "inner"


@pytest.mark.parametrize(("status", "content"), [(404, {"detail": "no"}), (422, REJECTION)])
def test_what_service_b_refuses_is_passed_on(
    faulty: TestClient, stub: StubServer, status: int, content: Any
) -> None:
    stub.behave = answer(status, content)

    reply = faulty.put("/faults/service_b/hang", json={"seconds": 5})

    assert (reply.status_code, reply.json()) == (status, content)


@pytest.mark.parametrize(("status", "content"), [(401, {}), (500, {}), (404, b"<html>"), (200, [])])
def test_service_b_is_unavailable_when_it_answers_anything_else(
    faulty: TestClient, stub: StubServer, status: int, content: Any
) -> None:
    stub.behave = answer(status, content)

    reply = faulty.get("/faults/service_b")

    assert (reply.status_code, reply.json()) == (503, UNAVAILABLE)


@pytest.mark.parametrize("kind", ["%2E%2E", "a%2Fb", "A", "x" * 41])
def test_nothing_but_a_name_gets_into_the_path(
    faulty: TestClient, stub: StubServer, kind: str
) -> None:
    assert faulty.delete(f"/faults/service_b/{kind}").status_code in (404, 405, 422)
    assert stub.received == []
