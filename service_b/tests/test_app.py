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


def test_models_are_served_by_their_pipelines_when_the_fast_path_is_plain() -> None:
    prices = []
    for plain in ("0", "fast_path"):
        app = create_app(Settings.model_validate({"LAB_PLAIN": plain}))
        for deployment in app.state.deployments:
            deployment.check()
        models = app.state.registry.loaded.values()
        assert [bool(each.quick_batch) for each in models] == [plain == "0"] * 2
        examples = [(each, each.input_type.model_validate(each.example)) for each in models]
        prices.append([model.predict([example])[0].price for model, example in examples])
    assert prices[0] == pytest.approx(prices[1], rel=1e-9)
