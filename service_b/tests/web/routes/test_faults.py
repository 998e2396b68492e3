from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.settings import Settings
from tests.conftest import WriteVersion


@pytest.fixture
def faulty(settings: Settings, write_version: WriteVersion) -> Iterator[TestClient]:
    write_version()
    with TestClient(create_app(settings.model_copy(update={"faults": True}))) as client:
        yield client


def test_fault_begins_is_listed_and_ends(faulty: TestClient) -> None:
    begun = faulty.put("/faults/error", json={"seconds": 300, "share": 0.5})

    (fault,) = begun.json()["faults"]
    assert (fault["kind"], fault["share"]) == ("error", 0.5)
    assert faulty.get("/faults").json()["faults"][0]["kind"] == "error"
    assert faulty.delete("/faults/error").json() == {"faults": []}
    faulty.put("/faults/hang", json={"seconds": 300})
    assert faulty.delete("/faults").json() == {"faults": []}


def test_wrong_body_is_refused_with_the_name_of_the_field(faulty: TestClient) -> None:
    reply = faulty.put("/faults/error", json={"seconds": 0})

    assert reply.status_code == 422
    places = [problem["loc"] for problem in reply.json()["detail"]]
    assert places == [["body", "seconds"], ["body", "share"]]


def test_unknown_fault_is_not_found(faulty: TestClient) -> None:
    reply = faulty.put("/faults/other", json={"seconds": 5})

    assert reply.status_code == 404
    assert reply.json()["detail"].startswith("There is no fault 'other'. The kinds are delay, hang")


@pytest.mark.parametrize(("method", "path"), [("GET", "/faults"), ("PUT", "/faults/hang")])
def test_nothing_of_it_is_there_unless_it_is_asked_for(
    client: TestClient, method: str, path: str
) -> None:
    assert client.request(method, path, json={"seconds": 5}).status_code == 404


def test_wrong_name_that_is_long_is_not_repeated(faulty: TestClient) -> None:
    reply = faulty.delete(f"/faults/{'x' * 5000}")

    assert (reply.status_code, len(reply.content) < 500) == (422, True)
