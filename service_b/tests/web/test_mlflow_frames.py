import math
from typing import Any

import pytest
from pydantic import BaseModel

from predictor.errors import InvalidInput
from predictor.inference.prediction import Prediction, PricePrediction
from predictor.web.mlflow_frames import read_rows, to_fields, to_value

COLUMNS = {"1stFlrSF": "first_flr_sf", "PoolQC": "pool_qc"}


class Doubled(BaseModel):
    double: float
    model: str = "double"
    model_version: str = "1"


class Identification(Doubled):
    probability: float


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["PoolQC", "1stFlrSF"], "data": [["Gd", 896], ["Ex", 5]]}},
        {"dataframe_split": {"data": [[896, "Gd"], [5, "Ex"]]}},
        {"dataframe_records": [{"1stFlrSF": 896, "PoolQC": "Gd"}, {"1stFlrSF": 5, "PoolQC": "Ex"}]},
        {"instances": [[896, "Gd"], {"1stFlrSF": 5, "PoolQC": "Ex"}], "params": {}},
        {"inputs": {"1stFlrSF": [896, 5], "PoolQC": ["Gd", "Ex"]}},
    ],
)
def test_rows_are_read_by_column_from_every_format(body: Any) -> None:
    assert read_rows(body, list(COLUMNS), 2) == [
        {"1stFlrSF": 896, "PoolQC": "Gd"},
        {"1stFlrSF": 5, "PoolQC": "Ex"},
    ]


def test_frame_is_refused_with_the_place_of_what_is_wrong() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rows({"dataframe_split": {"data": [[896, "Gd"], [5]]}}, list(COLUMNS), 2)
    (problem,) = caught.value.problems
    assert problem["loc"] == ["body", "dataframe_split", "data", 1]


def test_long_name_of_a_column_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rows({"inputs": {"a" * 900_000: [1, 2, 3]}}, list(COLUMNS), 2)
    (problem,) = caught.value.problems
    assert problem["loc"] == ["body", "inputs", f"{'a' * 200}…"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"dataframe_split": {"columns": [], "data": [[], [], []]}}, ["dataframe_split", "data"]),
        ({"dataframe_records": [{}, {}, {}]}, ["dataframe_records"]),
        ({"instances": [1, 2, 3]}, ["instances"]),
        ({"inputs": [[], [], []]}, ["inputs"]),
        ({"inputs": {"a": 1, "b": [1, 2, 3]}}, ["inputs", "b"]),
    ],
)
def test_frame_is_refused_before_rows_are_made_when_it_has_too_many(
    body: Any, place: list[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rows(body, list(COLUMNS), 2)
    (problem,) = caught.value.problems
    assert problem["loc"] == ["body", *place]
    assert problem["msg"] == "Input has 3 rows, at most 2 are allowed"


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"1stFlrSF": 896.0, "PoolQC": "Gd"}, {"first_flr_sf": 896, "pool_qc": "Gd"}),
        ({"1stFlrSF": 896.5, "SalePrice": 1}, {"first_flr_sf": 896.5}),
        ({"1stFlrSF": None, "PoolQC": None}, {"pool_qc": None}),
        ({"1stFlrSF": math.nan, "PoolQC": math.nan}, {"pool_qc": None}),
    ],
)
def test_columns_become_fields(row: dict[str, Any], fields: dict[str, Any]) -> None:
    found = to_fields(row, COLUMNS, nullable={"pool_qc"})
    assert found == fields
    assert [type(each) for each in found.values()] == [type(each) for each in fields.values()]


def test_value_of_a_price_is_not_rounded() -> None:
    prediction = PricePrediction(1000 / 3, "USD", None, "tiny", "1")
    assert to_value(prediction) == to_value(Prediction.of(prediction)) == 1000 / 3


def test_value_of_an_output_is_its_own_fields_or_the_only_one() -> None:
    assert to_value(Doubled(double=8)) == 8
    assert to_value(Identification(double=8, probability=0.5)) == {"double": 8, "probability": 0.5}
