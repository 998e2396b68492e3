import re

import pytest
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.settings import Settings


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_documentation_needs_no_internet(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert assets
    for asset in assets:
        assert asset.startswith("/")
        assert client.get(asset).status_code == 200
    assert "://" not in re.sub(r"https?://www\.w3\.org/\S*", "", page.text)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_documentation_works_without_a_model(empty_client: TestClient, path: str) -> None:
    assert empty_client.get(path).status_code == 200


def test_model_is_loaded_only_when_the_service_starts(settings: Settings) -> None:
    app = create_app(settings)
    assert TestClient(app).get("/health").status_code == 503


def test_request_id_of_the_caller_comes_back(client: TestClient) -> None:
    for path in ("/", "/health", "/predict", "/nothing", "/docs"):
        answer = client.get(path, headers={"X-Request-ID": "abc-1"})
        assert answer.headers["X-Request-ID"] == "abc-1"
