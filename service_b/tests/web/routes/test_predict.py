import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.card import ModelCard
from predictor.inference.card_model import CardModel
from predictor.inference.pipelines import Pipelines
from predictor.settings import Settings

pytestmark = pytest.mark.usefixtures("plain")


class FakeSlowEstimator:
    """Predicts, once it is allowed to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()

    def predict(self, rows: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
        self.begun.set()
        assert self.released.wait(60)
        return np.full(len(rows), 100_000.0)


def predict(client: TestClient, value: object) -> tuple[int, Any]:
    answer = client.post("/predict", json={"input": value})
    return answer.status_code, answer.json()


def predict_batch(client: TestClient, values: list[Any]) -> tuple[int, Any]:
    answer = client.post("/predict/batch", json={"inputs": values})
    return answer.status_code, answer.json()


def send(client: TestClient, body: bytes, path: str = "/predict") -> tuple[int, Any]:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    return answer.status_code, answer.json()


def test_house_gets_a_prediction(client: TestClient, house: dict[str, Any]) -> None:
    status, answer = predict(client, house)
    price = answer["prediction"]["price"]
    interval = answer["prediction"]["interval"]
    assert status == 200
    assert answer == {
        "prediction": {
            "price": price,
            "currency": "USD",
            "interval": {"lower": interval["lower"], "upper": interval["upper"], "coverage": 0.9},
            "model": "tiny",
            "model_version": "1",
        },
        "message": (
            f"Predicted price: ${price:,.0f} (90% interval "
            f"${round(interval['lower'], -2):,.0f} to ${round(interval['upper'], -3):,.0f})"
        ),
    }
    assert 80_000 < interval["lower"] < 100_000 < price < interval["upper"] < 130_000


def test_identifier_does_not_change_the_price(client: TestClient, house: dict[str, Any]) -> None:
    assert predict(client, house) == predict(client, house | {"id": 7})


def test_wrong_field_is_named_as_the_caller_wrote_it(
    client: TestClient, house: dict[str, Any]
) -> None:
    del house["overall_qual"]
    assert predict(client, house | {"overallQual": 11}) == (
        422,
        {
            "detail": [
                {
                    "type": "less_than_equal",
                    "loc": ["body", "input", "overallQual"],
                    "msg": "Input should be less than or equal to 10",
                    "input": 11,
                }
            ]
        },
    )


def test_missing_field_is_named_in_snake_case(client: TestClient, house: dict[str, Any]) -> None:
    del house["overall_qual"]
    assert predict(client, house) == (
        422,
        {
            "detail": [
                {
                    "type": "missing",
                    "loc": ["body", "input", "overall_qual"],
                    "msg": "Field required",
                }
            ]
        },
    )


@pytest.mark.parametrize(
    ("body", "loc", "message"),
    [
        (b"", [], "The body is empty, a JSON object was expected"),
        (b"[]", [], "Input should be a JSON object"),
        (b'"house"', [], "Input should be a JSON object"),
        (b"null", [], "Input should be a JSON object"),
        (b"{}", ["input"], "Field required"),
        (b'{"input": []}', ["input"], "Input should be a JSON object"),
        (b'{"input": "house"}', ["input"], "Input should be a JSON object"),
        (b'{"input": null}', ["input"], "Input should be a JSON object"),
        (b'{"data": {}}', ["input"], "Field required"),
        (b'{"input": {"overall_qual": %s}}', ["input", "overall_qual"], "whole number"),
    ],
)
def test_wrong_body_is_told_what_was_expected(
    client: TestClient, body: bytes, loc: list[str], message: str
) -> None:
    status, answer = send(client, body.replace(b"%s", b"5.5"))
    assert status == 422
    found = [problem for problem in answer["detail"] if problem["loc"] == ["body", *loc]]
    assert message in found[0]["msg"]


def test_unknown_field_beside_the_input_is_refused(
    client: TestClient, house: dict[str, Any]
) -> None:
    answer = client.post("/predict", json={"input": house, "model": "tiny"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "model"]


ODD_VALUES = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "1e400": b"1e400",
    "lone surrogate": rb'"\ud800"',
    "invalid UTF-8": b'"\xff"',
    "integer of 400 digits": b"9" * 400,
    "integer of 4,300 digits": b"9" * 4300,
    "integer of 5,000 digits": b"9" * 5000,
    "100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "150 deep": b"[" * 150 + b"]" * 150,
    "duplicate key": b'{"a": 1, "a": 1}',
    "boolean": b"true",
    "string": b'"5"',
    "long string": b'"' + b"x" * 100_000 + b'"',
}


@pytest.mark.parametrize(
    "body",
    [
        b"%s",
        b'{"input": %s}',
        b'{"input": {"overall_qual": %s}}',
        b'{"input": {"neighborhood": %s}}',
        b'{"input": {"colour": %s}}',
        b'{"inputs": [%s, {"id": %s}]}',
    ],
)
def test_odd_json_is_refused(client: TestClient, body: bytes) -> None:
    for name, odd in ODD_VALUES.items():
        content = body.replace(b"%s", odd)
        status, answer = send(client, content)
        assert status == 422, name
        assert answer["detail"][0]["msg"], name
        status, answer = send(client, content, "/predict/batch")
        if status == 200:  # an outcome for each input, and none a prediction
            assert all(result["error"]["detail"][0]["msg"] for result in answer["results"]), name
        else:
            assert status == 422, name


def test_number_too_large_to_be_read_is_named_and_not_echoed(client: TestClient) -> None:
    answers = [
        send(client, b'{"input": {"lotFrontage": 1e400}}'),
        send(client, b'{"inputs": [{"lotFrontage": 1e400}]}', "/predict/batch"),
    ]
    one, many = answers[0][1]["detail"], answers[1][1]["results"][0]["error"]["detail"]
    for problems in (one, many):
        (problem,) = [each for each in problems if each["loc"][-1] == "lotFrontage"]
        assert problem["msg"] == "Input should be a finite number"
        assert "input" not in problem


def test_batch_is_answered_in_order_like_its_inputs_one_by_one(
    client: TestClient, house: dict[str, Any]
) -> None:
    houses = [house | {"first_flr_sf": area} for area in (900, 2600, 400)]
    status, answer = predict_batch(client, houses)
    assert status == 200
    assert answer == {"results": [predict(client, each)[1] for each in houses]}
    areas = [result["prediction"]["price"] for result in answer["results"]]
    assert areas[2] < areas[0] < areas[1]


def test_bad_input_spoils_nothing_in_a_batch(client: TestClient, house: dict[str, Any]) -> None:
    bad: list[Any] = [
        house | {"overall_qual": 11},
        house | {"colour": None},
        {"first_flr_sf": 896, "overall_qual": 5},
        10**400,
        None,
        [],
    ]
    status, answer = predict_batch(client, [house, *bad, house])
    first, *errors, last = answer["results"]
    assert status == 200
    assert first == last == predict(client, house)[1]
    for index, (value, error) in enumerate(zip(bad, errors, strict=True), start=1):
        (problem,) = predict(client, value)[1]["detail"]
        problem["loc"][:2] = ["body", "inputs", index]
        assert error == {"error": {"detail": [problem]}}


def test_batch_of_bad_inputs_only_is_answered(client: TestClient) -> None:
    status, answer = send(client, b'{"inputs": [1e400, {"id": -1e400}]}', "/predict/batch")
    assert status == 200
    assert all(result["error"]["detail"] for result in answer["results"])


def test_batch_of_a_thousand_is_answered(client: TestClient, house: dict[str, Any]) -> None:
    houses = [house | {"first_flr_sf": 300 + index} for index in range(1000)]
    status, answer = predict_batch(client, houses)
    prices = [result["prediction"]["price"] for result in answer["results"]]
    assert status == 200
    assert len(prices) == 1000
    assert prices == sorted(prices)


def test_batch_of_a_fast_model_is_answered_in_pieces_as_if_it_were_none(
    ames_client: TestClient, ames_card: ModelCard
) -> None:
    houses = [ames_card.example | {"gr_liv_area": 1000 + index} for index in range(300)]
    for index in (0, 128, 299):
        houses[index]["overall_qual"] = 11
    status, answer = predict_batch(ames_client, houses)
    results = answer["results"]
    assert status == 200
    wrong = [index for index, result in enumerate(results) if "error" in result]
    assert wrong == [0, 128, 299]
    for index in wrong:
        (problem,) = results[index]["error"]["detail"]
        assert problem["loc"] == ["body", "inputs", index, "overall_qual"]
    for index in (1, 127, 129, 298):
        assert results[index] == predict(ames_client, houses[index])[1]


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "List should have at least 1 item after validation, not 0"),
        (1001, "List should have at most 1000 items after validation, not 1001"),
    ],
)
def test_batch_is_refused_when_it_is_empty_or_too_long(
    client: TestClient, house: dict[str, Any], count: int, message: str
) -> None:
    status, answer = predict_batch(client, [house] * count)
    (problem,) = answer["detail"]
    assert (status, problem["loc"], problem["msg"]) == (422, ["body", "inputs"], message)


@pytest.mark.parametrize("value", ["house", {}, None, 1])
def test_batch_is_refused_when_its_inputs_are_no_array(client: TestClient, value: object) -> None:
    answer = client.post("/predict/batch", json={"inputs": value})
    (problem,) = answer.json()["detail"]
    assert (answer.status_code, problem["msg"]) == (422, "Input should be a JSON array")


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_prediction_is_503_when_no_model_is_loaded(empty_client: TestClient, path: str) -> None:
    answer = empty_client.post(path, json={"input": {}})
    assert answer.status_code == 503
    assert answer.json() == {"detail": "Model is not available"}
    assert int(answer.headers["Retry-After"]) > 0


@pytest.fixture
def slow() -> FakeSlowEstimator:
    return FakeSlowEstimator()


@pytest.fixture
def slow_app(settings: Settings, card: ModelCard, slow: FakeSlowEstimator) -> FastAPI:
    """The service with a slow model, and no version that could replace it."""
    app = create_app(settings)
    app.state.registry.put(CardModel(card, Pipelines(card, [slow])))
    return app


def test_health_is_answered_while_an_estimator_predicts(
    slow_app: FastAPI, slow: FakeSlowEstimator, house: dict[str, Any]
) -> None:
    with TestClient(slow_app) as client, ThreadPoolExecutor() as threads:
        waiting = [threads.submit(predict, client, house) for _ in range(5)]
        try:
            assert slow.begun.wait(60)
            assert client.get("/health").status_code == 200
            assert predict(client, {})[0] == 422
            assert not any(each.done() for each in waiting)
        finally:
            slow.released.set()
        assert [each.result()[0] for each in waiting] == [200] * 5


def test_pieces_of_a_batch_are_one_request_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    card: ModelCard,
    slow: FakeSlowEstimator,
    house: dict[str, Any],
) -> None:
    log = StringIO()
    monkeypatch.setattr("sys.stdout", log)
    app = create_app(settings)
    pipelines = Pipelines(card, [slow])
    monkeypatch.setattr(pipelines, "quick_batch", 2)
    app.state.registry.put(CardModel(card, pipelines))
    slow.released.set()
    with TestClient(app) as client:
        assert predict_batch(client, [house, house, {}, {}, house])[0] == 200
    (line,) = [each for each in log.getvalue().splitlines() if "POST /predict/batch" in each]
    assert " model=tiny model_version=1 predictions=3 id=" in line


@pytest.mark.parametrize("path", ["/predict", "/models/tiny/predict/batch"])
def test_answer_says_how_long_each_stage_took(
    client: TestClient, house: dict[str, Any], path: str
) -> None:
    reply = client.post(path, json={"inputs": [house, {}]} if "batch" in path else {"input": house})

    assert reply.status_code == 200
    stages = [stage.partition(";dur=") for stage in reply.headers["Server-Timing"].split(", ")]
    assert [name for name, _, _ in stages] == ["check", "predict", "total"]
    check, predict, total = (float(milliseconds) for _, _, milliseconds in stages)
    assert 0 < check + predict <= total + 0.02  # each is rounded


PREDICTED = {"prediction", "message"}
CONTRADICTION = {
    "kind": "at_most",
    "fields": ["garage_yr_blt", "overall_qual"],
    "offset": 2000,
    "says": "The garage is not newer than 2000 and the quality.",
    "message": "Garage of {garage_yr_blt}, but quality {overall_qual}",
}


def test_input_that_contradicts_a_relation_is_priced_with_a_warning(
    settings: Settings, write_version: Any, house: dict[str, Any]
) -> None:
    write_version(relations=[CONTRADICTION])
    new = house | {"garageYrBlt": 2010}
    del new["garage_yr_blt"]
    fields = ["garage_yr_blt", "overall_qual"]
    warnings = [{"fields": fields, "msg": "Garage of 2010, but quality 5"}]
    with TestClient(create_app(settings)) as client:
        for path in ("/predict", "/models/tiny/predict"):
            answer = client.post(path, json={"input": new}).json()
            assert answer.keys() == {"prediction", "message", "warnings"}
            assert answer["warnings"] == warnings
            assert client.post(path, json={"input": house}).json().keys() == PREDICTED
            batch = {"inputs": [house, new, {}, house | {"garage_yr_blt": None}]}
            results = client.post(f"{path}/batch", json=batch).json()["results"]
            assert [each.get("warnings") for each in results] == [None, warnings, None, None]
        counted = 'fields="garage_yr_blt,overall_qual",model="tiny",version="1"} 4.0'
        assert f"predictor_warnings_total{{{counted}" in client.get("/metrics").text
        assert client.get("/models/tiny").json()["card"]["relations"][0]["fields"] == fields
