import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.settings import SERVICE_FOLDER, Settings

COLUMNS = {
    "first_flr_sf": "1stFlrSF",
    "overall_qual": "OverallQual",
    "neighborhood": "Neighborhood",
    "ms_sub_class": "MSSubClass",
    "pool_qc": "PoolQC",
    "garage_yr_blt": "GarageYrBlt",
    "lot_frontage": "LotFrontage",
}


@pytest.fixture
def row(house: dict[str, Any]) -> dict[str, Any]:
    """The house as a row of the training data."""
    return {column: house[field] for field, column in COLUMNS.items()}


def invoke(client: TestClient, body: Any, path: str = "/invocations") -> tuple[int, Any]:
    answer = client.post(
        path, content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    return answer.status_code, answer.json()


@pytest.fixture
def price(client: TestClient, house: dict[str, Any]) -> float:
    answer = client.post("/predict", json={"input": house}).json()
    return float(answer["prediction"]["price"])


def test_every_format_gets_the_same_prediction(
    client: TestClient, row: dict[str, Any], price: float
) -> None:
    names, values = list(row), list(row.values())
    bodies: list[dict[str, Any]] = [
        {"dataframe_split": {"columns": names, "data": [values]}},
        {"dataframe_split": {"index": [7], "columns": names, "data": [values]}},
        {"dataframe_split": {"data": [values]}},
        {"dataframe_records": [row]},
        {"instances": [row]},
        {"instances": [values]},
        {"inputs": [row]},
        {"inputs": [values]},
        {"inputs": {name: [value] for name, value in row.items()}},
        {"inputs": row},
        {"dataframe_records": [row], "params": {"a": 1}, "signature_name": "default"},
    ]
    for body in bodies:
        status, answer = invoke(client, body)
        (prediction,) = answer["predictions"]
        assert status == 200
        assert round(prediction, 2) == price


def test_rows_are_answered_in_order(client: TestClient, row: dict[str, Any]) -> None:
    rows = [row | {"1stFlrSF": 300 + index} for index in range(1000)]
    _, answer = invoke(client, {"dataframe_records": rows})
    assert len(answer["predictions"]) == 1000
    assert answer["predictions"] == sorted(answer["predictions"])


def test_too_many_rows_are_refused_with_the_limit_that_is_set(
    settings: Settings, write_version: Callable[..., Path], row: dict[str, Any]
) -> None:
    write_version()
    with TestClient(create_app(settings.model_copy(update={"max_rows": 2}))) as client:
        assert invoke(client, {"instances": [row] * 2})[0] == 200
        status, answer = invoke(client, {"instances": [row] * 3})
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert answer["message"] == "body.instances: Input has 3 rows, at most 2 are allowed"


def test_no_rows_get_no_predictions(client: TestClient) -> None:
    assert invoke(client, {"dataframe_records": []}) == (200, {"predictions": []})


def test_columns_that_the_model_does_not_know_are_left_out(
    client: TestClient, row: dict[str, Any], price: float
) -> None:
    extra = row | {"Id": 1461, "SalePrice": None, "Unnamed: 0": "x"}
    _, answer = invoke(client, {"dataframe_records": [extra]})
    assert round(answer["predictions"][0], 2) == price


@pytest.mark.parametrize("hole", [None, float("nan")])
def test_hole_is_none_where_the_data_has_a_code_for_it_and_unknown_elsewhere(
    client: TestClient, row: dict[str, Any], house: dict[str, Any], hole: float | None
) -> None:
    del house["ms_sub_class"], house["lot_frontage"]
    house |= {"pool_qc": "NA", "garage_yr_blt": None}
    holes = dict.fromkeys(("MSSubClass", "LotFrontage", "PoolQC", "GarageYrBlt"), hole)
    _, answer = invoke(client, {"dataframe_records": [row | holes]})
    expected = client.post("/predict", json={"input": house}).json()["prediction"]["price"]
    assert round(answer["predictions"][0], 2) == expected


def test_whole_numbers_may_come_as_floats(
    client: TestClient, row: dict[str, Any], price: float
) -> None:
    floats = {"MSSubClass": 20.0, "OverallQual": 5.0, "GarageYrBlt": 1961.0}
    _, answer = invoke(client, {"dataframe_records": [row | floats]})
    assert round(answer["predictions"][0], 2) == price


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "body: Input should be a JSON object"),
        ({}, "body: Input should have exactly one of the fields dataframe_split, "),
        ({"input": {}}, "body: Input should have exactly one of"),
        ({"inputs": [], "instances": []}, "body: Input should have exactly one of"),
        ({"inputs": 5}, "body.inputs: Input should be an array of rows"),
        ({"instances": {}}, "body.instances: Input should be an array of rows"),
        ({"instances": [[1, 2]]}, "body.instances.0: Input should be an object, or an array of 7"),
        ({"dataframe_records": [5]}, "body.dataframe_records.0: Input should be an object"),
        ({"dataframe_split": []}, "body.dataframe_split: Input should be an object with"),
        (
            {"dataframe_split": {"columns": [1], "data": []}},
            "body.dataframe_split.columns: Input should be an array of different strings",
        ),
        (
            {"dataframe_split": {"columns": ["a", "a"], "data": []}},
            "body.dataframe_split.columns: Input should be an array of different strings",
        ),
        (
            {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
            "body.dataframe_split.data.0: Input should be an object, or an array of 1 values",
        ),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "body.inputs: Every column should be an array"),
        ({"inputs": {"a": [1], "b": 2}}, "body.inputs: Every column should be an array"),
        (
            {"dataframe_records": [{"1stFlrSF": 1}]},
            "body.0.1stFlrSF: Input should be greater than or equal to 300 (and 2 more)",
        ),
        (
            {"dataframe_records": [{"1stFlrSF": float("inf")}]},
            "body.0.1stFlrSF: Input should be",
        ),
    ],
)
def test_wrong_frame_is_told_in_the_form_of_mlflow_and_in_our_own(
    client: TestClient, body: Any, message: str
) -> None:
    status, answer = invoke(client, body)
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert answer["message"].startswith(message)
    assert answer["detail"][0]["loc"][0] == "body"


def test_model_is_chosen_by_name(client: TestClient, row: dict[str, Any]) -> None:
    body = {"dataframe_records": [row]}
    assert invoke(client, body, "/invocations?model=tiny") == invoke(client, body)
    status, answer = invoke(client, body, "/invocations?model=big")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "'big'" in answer["message"]


def test_problems_name_the_columns_that_the_caller_knows(
    client: TestClient, row: dict[str, Any]
) -> None:
    wrong = row | {"OverallQual": 11, "PoolQC": "No"}
    del wrong["Neighborhood"]
    _, answer = invoke(client, {"instances": [row, wrong]})
    assert [problem["loc"] for problem in answer["detail"]] == [
        ["body", 1, "OverallQual"],
        ["body", 1, "Neighborhood"],
        ["body", 1, "PoolQC"],
    ]


@pytest.mark.parametrize(
    ("body", "refused"),
    [({"instances": [{}] * 3}, 3), ({"instances": [[]] * 3}, 1), ([], 1)],
)
def test_each_row_of_a_frame_is_counted_when_it_is_refused(
    client: TestClient, body: Any, refused: int
) -> None:
    assert invoke(client, body)[0] == 400
    assert f'predictor_errors_total{{kind="invalid_input"}} {refused}.0' in (
        client.get("/metrics").text
    )


def test_version_is_that_of_the_mlflow_that_is_supported(client: TestClient) -> None:
    answer = client.get("/version")
    requirements = (SERVICE_FOLDER / "requirements-mlflow.txt").read_text(encoding="utf-8")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert f"mlflow-skinny=={answer.text}\n" in requirements


def test_ping_is_200_when_a_model_is_loaded(client: TestClient) -> None:
    answer = client.get("/ping")
    assert (answer.status_code, answer.text) == (200, "\n")


def test_ping_is_503_when_no_model_is_loaded(empty_client: TestClient) -> None:
    assert empty_client.get("/ping").status_code == 503


def test_invocation_is_503_when_no_model_is_loaded(empty_client: TestClient) -> None:
    answer = empty_client.post("/invocations", json={})
    assert (answer.status_code, answer.json()["detail"]) == (503, "Model is not available")
    assert answer.headers["Retry-After"]
