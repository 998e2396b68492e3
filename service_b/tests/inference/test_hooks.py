from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.errors import InputRejected
from predictor.inference.prediction import Prediction
from predictor.settings import Settings
from tests.web.routes.test_invocations import COLUMNS

QUALITY = {
    "kind": "at_most",
    "fields": ["first_flr_sf", "lot_frontage"],
    "offset": 880,
    "says": "",
    "message": "{first_flr_sf} sq ft",
}


def raise_quality(house: Any) -> Any:
    if house.overall_qual == 10:
        raise InputRejected("a house of quality 10 is priced by hand")
    return house.model_copy(update={"overall_qual": house.overall_qual + 1})


def round_down(house: Any, prediction: Any) -> Any:
    if house.neighborhood == "Veenker":
        raise InputRejected("Veenker is not for sale")
    return prediction.model_copy(update={"price": prediction.price // 1000 * 1000})


@pytest.fixture
def hooked(settings: Settings, write_version: Any) -> Iterator[TestClient]:
    write_version()
    settings.models.write_text(
        "models: [{name: tiny, default: true, sources: [models/tiny], "
        "before: tests.inference.test_hooks.raise_quality, "
        "after: tests.inference.test_hooks.round_down}]"
    )
    with TestClient(create_app(settings)) as client:
        yield client


def test_hooks_change_what_goes_in_and_what_comes_out(
    hooked: TestClient, house: dict[str, Any], models_folder: Path
) -> None:
    plain = Settings(models=models_folder.parent / "plain.yaml", watch_seconds=3600)
    plain.models.write_text("models: [{name: tiny, default: true, sources: [models/tiny]}]")
    with TestClient(create_app(plain)) as client:
        better = client.post("/predict", json={"input": house | {"overall_qual": 6}}).json()
    price = hooked.post("/predict", json={"input": house}).json()["prediction"]["price"]
    assert price == better["prediction"]["price"] // 1000 * 1000
    answer = hooked.post("/invocations", json={"dataframe_records": [_to_columns(house)]})
    assert answer.json() == {"predictions": [price]}


def price_anew(_: Any, prediction: Any) -> Any:
    return Prediction.model_validate(prediction.model_dump() | {"price": 1.0})


@pytest.mark.parametrize("after", ["round_down", "price_anew"])
def test_warnings_are_answered_when_a_hook_changes_the_price(
    settings: Settings, write_version: Any, house: dict[str, Any], after: str
) -> None:
    write_version(relations=[QUALITY])
    settings.models.write_text(
        "models: [{name: tiny, default: true, sources: [models/tiny], "
        f"after: tests.inference.test_hooks.{after}}}]"
    )
    with TestClient(create_app(settings)) as client:
        answer = client.post("/predict", json={"input": house | {"lot_frontage": 10}}).json()
        typical = client.post("/predict", json={"input": house}).json()
    assert [each["fields"] for each in answer["warnings"]] == [["first_flr_sf", "lot_frontage"]]
    assert typical.keys() == {"prediction", "message"}


def test_rejected_input_is_told_why_and_the_others_of_its_batch_are_predicted(
    hooked: TestClient, house: dict[str, Any]
) -> None:
    rejected = [house | {"overall_qual": 10}, house | {"neighborhood": "Veenker"}]
    answer = hooked.post("/predict", json={"input": rejected[0]})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        [
            {
                "type": "rejected",
                "loc": ["body", "input"],
                "msg": "a house of quality 10 is priced by hand",
            }
        ],
    )
    results = hooked.post("/predict/batch", json={"inputs": [house, *rejected, house]}).json()
    first, second, third, last = results["results"]
    assert first == last
    assert "prediction" in first
    assert second["error"]["detail"][0]["loc"] == ["body", "inputs", 1]
    assert third["error"]["detail"][0]["msg"] == "Veenker is not for sale"
    answer = hooked.post(
        "/invocations", json={"dataframe_records": [_to_columns(each) for each in rejected]}
    )
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")


def _to_columns(house: dict[str, Any]) -> dict[str, Any]:
    return {column: house[field] for field, column in COLUMNS.items()}
