from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import StartGateway


@pytest.fixture
def faulty(start_gateway: StartGateway) -> TestClient:
    return start_gateway(LAB_FAULTS="1")


def test_fault_begins_is_listed_and_ends(faulty: TestClient) -> None:
    begun = faulty.put("/faults/log_slow", json={"seconds": 300, "ms": 5})
    listed = faulty.get("/faults")

    assert begun.status_code == 200
    (fault,) = listed.json()["faults"]
    assert (fault["kind"], fault["ms"]) == ("log_slow", 5)
    assert 290 < fault["seconds"] <= 300
    assert faulty.delete("/faults/log_slow").json() == {"faults": []}
    assert faulty.get("/faults").json() == {"faults": []}


def test_full_log_takes_no_input_and_makes_the_gateway_unhealthy(faulty: TestClient) -> None:
    faulty.put("/faults/log_full", json={"seconds": 300})
    keep = {"data": 1, "forward_to_model": False}

    refused = faulty.post("/process", json=keep)
    assert (refused.status_code, refused.json()) == (503, {"detail": "Input could not be logged"})
    assert faulty.get("/health").status_code == 503

    faulty.delete("/faults")
    assert faulty.post("/process", json=keep).status_code == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["seconds", "ms"]),
        ({"seconds": 301, "ms": 0}, ["seconds", "ms"]),
        ({"seconds": 3, "ms": 3, "share": 1}, ["share"]),
    ],
)
def test_wrong_body_is_refused_with_the_name_of_the_field(
    faulty: TestClient, body: Any, fields: list[str]
) -> None:
    reply = faulty.put("/faults/log_slow", json=body)

    assert reply.status_code == 422
    assert [problem["loc"] for problem in reply.json()["detail"]] == [
        ["body", field] for field in fields
    ]
    assert faulty.get("/faults").json() == {"faults": []}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_unknown_fault_is_not_found(faulty: TestClient, method: str) -> None:
    reply = faulty.request(method, "/faults/other", json={})

    assert reply.status_code == 404
    assert reply.json() == {"detail": "There is no fault 'other'. The kinds are log_full, log_slow"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/faults"),
        ("DELETE", "/faults"),
        ("PUT", "/faults/log_full"),
        ("GET", "/faults/service_b"),
        ("PUT", "/faults/service_b/hang"),
    ],
)
def test_nothing_of_it_is_there_unless_it_is_asked_for(
    client: TestClient, method: str, path: str
) -> None:
    assert client.request(method, path, json={"seconds": 5}).status_code == 404
    assert not [path for path in client.get("/openapi.json").json()["paths"] if "faults" in path]


def test_faults_need_a_key_where_calls_do(start_gateway: StartGateway) -> None:
    guarded = start_gateway(LAB_FAULTS="1", GATEWAY_API_KEYS="k1")

    assert guarded.get("/faults").status_code == 401
    assert guarded.get("/faults", headers={"X-API-Key": "k1"}).status_code == 200


def test_listed_page_may_begin_and_end_a_fault(start_gateway: StartGateway) -> None:
    client = start_gateway(LAB_FAULTS="1", GATEWAY_CORS_ORIGINS="https://a.example")

    for method in ("PUT", "DELETE"):
        headers = {"Origin": "https://a.example", "Access-Control-Request-Method": method}
        assert client.options("/faults/log_slow", headers=headers).status_code == 200
