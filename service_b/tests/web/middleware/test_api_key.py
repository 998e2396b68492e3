from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.settings import Settings
from tests.conftest import WriteVersion

OPEN = {"/health", "/livez", "/ping", "/metrics"}


@pytest.fixture
def guarded(settings: Settings, write_version: WriteVersion) -> Iterator[TestClient]:
    write_version()
    with TestClient(create_app(settings.model_copy(update={"api_key": "the-key"}))) as client:
        yield client


def test_every_call_but_the_open_ones_is_refused_without_the_key(guarded: TestClient) -> None:
    paths = guarded.get("/openapi.json").json()["paths"]

    for path, methods in paths.items():
        for method in methods:
            for headers in ({}, {"X-API-Key": "the-ke"}, {"X-API-Key": ""}):
                reply = guarded.request(method, path, headers=headers)
                if path in OPEN:
                    assert reply.status_code == 200
                else:
                    assert reply.status_code == 401, path
                    assert reply.json() == {"detail": "A valid X-API-Key is required"}
                    assert reply.headers["WWW-Authenticate"] == "APIKey"


def test_path_that_nobody_has_is_refused_without_the_key(guarded: TestClient) -> None:
    assert guarded.get("/nothing").status_code == 401
    for key in ("the-key", "the-key "):  # blanks at its end are no part of it
        assert guarded.get("/nothing", headers={"X-API-Key": key}).status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_documentation_needs_no_key(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_call_with_the_key_is_answered(guarded: TestClient, house: dict[str, object]) -> None:
    reply = guarded.post("/predict", json={"input": house}, headers={"X-API-Key": "the-key"})

    assert reply.status_code == 200


def test_anybody_may_call_when_the_key_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_API_KEY", "")

    assert Settings().api_key is None
