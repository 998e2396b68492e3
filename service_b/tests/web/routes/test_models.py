from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.settings import Settings
from tests.inference.test_python_model import Doubler


@pytest.fixture
def two(settings: Settings, write_version: Callable[..., Path]) -> Iterator[TestClient]:
    """The service with `tiny`, and `hidden`, a model without routes of its own."""
    write_version()
    settings.models.write_text(
        "models:\n"
        "- {name: tiny, sources: [models/tiny]}\n"
        "- {name: hidden, default: true, class_path: tests.inference.test_python_model.Doubler,"
        " parameters: {factor: 2}, create_endpoint: false}\n"
    )
    with TestClient(create_app(settings)) as client:
        yield client


def test_models_are_listed_with_their_state(two: TestClient) -> None:
    tiny, hidden = two.get("/models").json()["models"]
    assert tiny.pop("last_check")
    assert tiny == {
        "name": "tiny",
        "title": "Tiny houses",
        "description": "Sale price of a house, learned from eight.",
        "default": False,
        "status": "ready",
        "version": "1",
        "candidate": None,
        "last_error": None,
    }
    assert (hidden["name"], hidden["default"], hidden["version"]) == ("hidden", True, "0")
    # A class may say so itself, in its `metadata` and in its docstring.
    assert (hidden["title"], hidden["description"]) == (
        "hidden",
        "Multiplies, by a factor from its parameters or from its file.",
    )


def test_titles_are_whatever_a_class_gives_as_metadata(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Doubler, "metadata", {"title": 7, "description": None}, raising=False)
    settings.models.write_text(
        "models: [{name: odd, default: true,"
        " class_path: tests.inference.test_python_model.Doubler}]"
    )
    with TestClient(create_app(settings)) as client:
        (odd,) = client.get("/models").json()["models"]
    assert (odd["title"], odd["description"]) == ("7", None)


def test_model_is_described_by_its_card_in_full(
    client: TestClient, card_content: dict[str, Any]
) -> None:
    answer = client.get("/models/tiny").json()
    assert (answer["name"], answer["version"]) == ("tiny", "1")
    for key in ("title", "metrics", "libraries", "example"):
        assert answer["card"][key] == card_content[key]
    assert len(answer["card"]["features"]) == len(card_content["features"])


def test_model_is_served_by_its_name_and_the_default_without(
    two: TestClient, house: dict[str, Any]
) -> None:
    tiny = two.post("/models/tiny/predict", json={"input": house}).json()
    assert tiny["prediction"]["model"] == "tiny"
    assert two.post("/predict", json={"input": {"value": 4}}).json() == {
        "prediction": {"double": 8.0, "model": "hidden", "model_version": "0"}
    }
    batch = two.post("/models/tiny/predict/batch", json={"inputs": [house, {}]}).json()
    assert batch["results"][0] == tiny
    assert "error" in batch["results"][1]


@pytest.mark.parametrize("name", ["big", "hidden", "tiny%2F..", "a" * 1000])
def test_unknown_model_is_a_404_that_names_it(two: TestClient, name: str) -> None:
    for suffix in ("/predict", "/predict/batch"):
        answer = two.post(f"/models/{name}{suffix}", json={})
        assert answer.status_code == 404
        if "%" not in name:
            assert answer.json() == {"detail": f"There is no model {name!r}; there is tiny"}


def test_model_without_endpoint_is_named_by_a_log_line_at_the_start(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("two")  # only now, as its log is what is printed
    lines = [line for line in capsys.readouterr().out.splitlines() if "no endpoint" in line]
    assert len(lines) == 1
    assert lines[0].endswith(' event="model has no endpoint" model=hidden')


def test_model_without_endpoint_is_described_and_not_documented(two: TestClient) -> None:
    assert two.get("/models/hidden").status_code == 200
    paths = two.get("/openapi.json").json()["paths"]
    assert "/models/tiny/predict" in paths
    assert "/models/hidden/predict" not in paths


def test_known_model_is_503_while_no_version_is_loaded(empty_client: TestClient) -> None:
    for answer in (
        empty_client.get("/models/tiny"),
        empty_client.post("/models/tiny/predict", json={}),
    ):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
    (state,) = empty_client.get("/models").json()["models"]
    assert (state["status"], state["version"]) == ("unavailable", None)
    assert (state["title"], state["description"]) == (None, None)
    assert state["last_error"] == "a source could not be used; the log says why"


def test_reload_serves_what_has_come_and_says_so(
    empty_client: TestClient, write_version: Callable[..., Path], house: dict[str, Any]
) -> None:
    write_version()
    (state,) = empty_client.post("/reload").json()["models"]
    assert (state["version"], state["status"], state["last_error"]) == ("1", "ready", None)
    assert empty_client.post("/predict", json={"input": house}).status_code == 200
    (write_version("2") / "card.json").write_text("{")
    (state,) = empty_client.post("/reload").json()["models"]
    assert (state["version"], state["candidate"]) == ("1", "2")
    assert state["last_error"].startswith("card.json: ")  # and no path leads there
