import time
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


@pytest.mark.parametrize("name", ["big", "hidden", "tiny%2F..", "a" * 200])
def test_unknown_model_is_a_404_that_names_it(two: TestClient, name: str) -> None:
    for suffix in ("/predict", "/predict/batch"):
        answer = two.post(f"/models/{name}{suffix}", json={})
        assert answer.status_code == 404
        if "%" not in name:
            assert answer.json() == {"detail": f"There is no model {name!r}; there is tiny"}


def test_name_of_a_thousand_letters_is_not_repeated_whole(two: TestClient) -> None:
    answer = two.post(f"/models/{'a' * 1000}/predict", json={})

    assert answer.json() == {"detail": f"There is no model '{'a' * 200}…'; there is tiny"}


def test_model_without_endpoint_is_named_by_a_log_line_at_the_start(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("two")  # only now, as its log is what is printed
    lines = [line for line in capsys.readouterr().out.splitlines() if "no endpoint" in line]
    assert len(lines) == 1
    assert lines[0].count(' event="model has no endpoint" model=hidden ')


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


# Aliases beside the champion


@pytest.fixture
def two_versions(
    settings: Settings, write_version: Callable[..., Path], dear_artifact: bytes
) -> Settings:
    """Settings to serve version 1 of `tiny`, beside which version 2 is the challenger."""
    folder = write_version("1").parent
    write_version("2", pickle=dear_artifact)
    (folder / "alias.json").write_text('{"champion": "1", "aliases": {"challenger": "2"}}')
    return settings


@pytest.fixture
def staged(two_versions: Settings) -> Iterator[TestClient]:
    """The service with version 1 of `tiny`, and version 2 as its challenger."""
    with TestClient(create_app(two_versions)) as client:
        yield client


@pytest.mark.parametrize("name", ["tiny@challenger", "tiny%40challenger"])
def test_version_of_an_alias_is_tried_by_its_name(
    staged: TestClient, house: dict[str, Any], name: str
) -> None:
    champion = staged.post("/predict", json={"input": house}).json()["prediction"]
    challenger = staged.post(f"/models/{name}/predict", json={"input": house}).json()
    assert champion["model_version"] == "1"
    assert challenger["prediction"]["model"] == "tiny"
    assert challenger["prediction"]["model_version"] == "2"
    assert challenger["prediction"]["price"] == pytest.approx(2 * champion["price"])
    batch = staged.post(f"/models/{name}/predict/batch", json={"inputs": [house]}).json()
    assert batch == {"results": [challenger]}
    rows = {"dataframe_records": [{"1stFlrSF": 896, "OverallQual": 5, "Neighborhood": "NAmes"}]}
    frames = [staged.post(f"/invocations?model={each}", json=rows) for each in ("tiny", name)]
    one, other = (each.json()["predictions"][0] for each in frames)
    assert other == pytest.approx(2 * one)


def test_champion_is_served_by_its_alias_too(staged: TestClient, house: dict[str, Any]) -> None:
    body = {"input": house}
    by_alias = staged.post("/models/tiny@champion/predict", json=body).json()
    assert by_alias == staged.post("/models/tiny/predict", json=body).json()
    assert staged.get("/models/tiny@champion").json()["name"] == "tiny"


def test_aliases_are_listed_after_their_model_and_described_like_it(staged: TestClient) -> None:
    tiny, challenger = staged.get("/models").json()["models"]
    assert (tiny["name"], tiny["version"]) == ("tiny", "1")
    assert challenger.pop("last_check")
    assert challenger == {
        "name": "tiny@challenger",
        "title": "Tiny houses",
        "description": "Sale price of a house, learned from eight.",
        "default": False,
        "status": "ready",
        "version": "2",
        "candidate": None,
        "last_error": None,
    }
    assert staged.get("/models/tiny@challenger").json()["card"]["version"] == "2"
    assert "/models/tiny@challenger/predict" not in staged.get("/openapi.json").json()["paths"]


def test_unknown_alias_is_a_404_that_names_those_there_are(staged: TestClient) -> None:
    answers = [
        staged.post("/models/tiny@nosuch/predict", json={}),
        staged.post("/models/tiny@nosuch/predict/batch", json={}),
        staged.get("/models/tiny@nosuch"),
    ]
    expected = {"detail": "There is no model 'tiny@nosuch'; there is tiny, tiny@challenger"}
    assert [(each.status_code, each.json()) for each in answers] == [(404, expected)] * 3


def test_alias_is_503_while_its_version_is_refused_and_404_when_it_is_taken_away(
    staged: TestClient, models_folder: Path
) -> None:
    alias = models_folder / "tiny" / "alias.json"
    alias.write_text('{"champion": "1", "aliases": {"next": "9"}}')
    _, state = staged.post("/reload").json()["models"]
    assert (state["name"], state["status"], state["candidate"]) == ("tiny@next", "unavailable", "9")
    assert staged.post("/models/tiny@next/predict", json={}).status_code == 503
    assert staged.get("/models/tiny@next").status_code == 503
    assert staged.post("/models/tiny@challenger/predict", json={}).status_code == 404
    assert staged.get("/health").status_code == 200


def test_alias_of_a_model_without_endpoint_has_none_either(
    settings: Settings, write_version: Callable[..., Path]
) -> None:
    folder = write_version("1").parent
    (folder / "alias.json").write_text('{"champion": "1", "aliases": {"challenger": "1"}}')
    settings.models.write_text(
        "models: [{name: tiny, default: true, create_endpoint: false, sources: [models/tiny]}]"
    )
    with TestClient(create_app(settings)) as client:
        answer = client.post("/models/tiny@challenger/predict", json={})
        assert answer.status_code == 404
        assert "tiny" not in answer.json()["detail"].partition(";")[2]
        assert client.get("/models/tiny@challenger").status_code == 200


# A challenger in the shadow


@pytest.fixture
def shadowed(two_versions: Settings) -> Iterator[TestClient]:
    """The service with version 1 of `tiny`, and version 2 in its shadow for all inputs."""
    two_versions.models.write_text(
        "models:\n"
        "- {name: tiny, default: true, sources: [models/tiny], challenger: {share: 1}}\n"
        "- {name: other, class_path: tests.inference.test_python_model.Doubler}\n"
    )
    with TestClient(create_app(two_versions)) as client:
        yield client


def read_challenger(client: TestClient, seen: int) -> dict[str, Any]:
    """Read what was found when so many inputs were compared or failed."""
    deadline = time.monotonic() + 300
    while True:
        answer: dict[str, Any] = client.get("/models/tiny/challenger").json()
        if answer["compared"] + answer["failed"] >= seen:
            return answer
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_inputs_of_every_call_of_the_model_are_compared_and_its_answers_stay_as_they_are(
    shadowed: TestClient, house: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    ids = {"X-Request-ID": "first"}
    answer = shadowed.post("/predict", json={"input": house}, headers=ids)
    assert answer.json()["prediction"]["model_version"] == "1"
    price = answer.json()["prediction"]["price"]
    shadowed.post("/models/tiny/predict", json={"input": house})
    shadowed.post("/predict/batch", json={"inputs": [house, {}, house]})
    shadowed.post("/models/tiny/predict/batch", json={"inputs": [house]})
    rows = {"dataframe_records": [{"1stFlrSF": 896, "OverallQual": 5, "Neighborhood": "NAmes"}]}
    shadowed.post("/invocations", json=rows)
    shadowed.post("/models/tiny@challenger/predict", json={"input": house})
    shadowed.post("/models/other/predict", json={"input": {"value": 1}})

    found = read_challenger(shadowed, 6)
    assert found.pop("since")
    largest = found.pop("largest")
    sizes = [found.pop(f"{each}_difference") for each in ("mean", "median", "p90")]
    assert found == {
        "model": "tiny",
        "alias": "challenger",
        "status": "comparing",
        "version": "1",
        "challenger_version": "2",
        "share": 1,
        "compared": 6,
        "failed": 0,
        "dropped": 0,
        "within_interval": 0,
    }
    assert sizes == [pytest.approx(1)] * 3
    assert len(largest) == 5
    assert largest[0]["difference"] == pytest.approx(1)
    assert largest[0]["challenger_price"] == pytest.approx(2 * largest[0]["price"], abs=0.02)
    lines = [vars(each).get("fields", {}) for each in caplog.records]
    assert [each["price"] for each in lines if each.get("request_id") == "first"] == [price]


def test_answers_are_right_when_the_challenger_fails_at_every_input(
    shadowed: TestClient, house: dict[str, Any]
) -> None:
    registry = shadowed.app.state.registry  # type: ignore[attr-defined]
    registry.loaded["tiny@challenger"].evaluation = None
    answer = shadowed.post("/predict", json={"input": house})
    assert answer.json()["prediction"]["model_version"] == "1"
    assert read_challenger(shadowed, 1)["failed"] == 1


def test_challenger_follows_its_alias(
    shadowed: TestClient, models_folder: Path, house: dict[str, Any]
) -> None:
    alias = models_folder / "tiny" / "alias.json"
    for written, state in (
        ('{"champion": "1"}', ("no_version", "1", None)),
        ('{"champion": "1", "aliases": {"challenger": "1"}}', ("same_version", "1", "1")),
        ('{"champion": "2", "aliases": {"challenger": "1"}}', ("comparing", "2", "1")),
    ):
        alias.write_text(written)
        shadowed.post("/reload")
        shadowed.post("/predict", json={"input": house})
        found = shadowed.get("/models/tiny/challenger").json()
        assert (found["status"], found["version"], found["challenger_version"]) == state
    assert read_challenger(shadowed, 1)["mean_difference"] == pytest.approx(0.5)


def test_challenger_is_404_of_a_model_that_has_none(shadowed: TestClient) -> None:
    for name, detail in (
        ("other", "The model 'other' has no challenger"),
        ("tiny@challenger", "The model 'tiny@challenger' has no challenger"),
        ("big", "There is no model 'big'; there is tiny, other, tiny@challenger"),
    ):
        answer = shadowed.get(f"/models/{name}/challenger")
        assert (answer.status_code, answer.json()) == (404, {"detail": detail})
    by_alias = shadowed.get("/models/tiny@champion/challenger")
    assert by_alias.json()["model"] == "tiny"
