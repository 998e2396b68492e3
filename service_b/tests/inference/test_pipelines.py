import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.inference.input_schema import build_input_type
from predictor.inference.pipelines import Pipelines


class FakeEstimator:
    """Records the rows that it is given."""

    def __init__(self) -> None:
        self.calls: list[list[list[Any]]] = []

    def predict(self, rows: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
        self.calls.append(rows.tolist())
        return np.ones(len(rows))


@pytest.fixture
def input_type(card: ModelCard) -> type[BaseModel]:
    return build_input_type(card)


@pytest.fixture
def estimator() -> FakeEstimator:
    return FakeEstimator()


@pytest.fixture
def pipelines(card: ModelCard, estimator: FakeEstimator) -> Pipelines:
    return Pipelines(card, [estimator])


def test_estimator_gets_the_columns_in_order_without_the_identifier(
    pipelines: Pipelines, estimator: FakeEstimator, input_type: type[BaseModel]
) -> None:
    values = {
        "lotFrontage": 80.5,
        "id": 1461,
        "neighborhood": "C (all)",
        "garage_yr_blt": 1961,
        "poolQc": "Gd",
        "ms_sub_class": 60,
        "overallQual": 5,
        "first_flr_sf": 896,
    }
    pipelines.evaluate([input_type.model_validate(values)])
    assert estimator.calls == [[[896, 5, "C (all)", 60, "Gd", 1961, 80.5]]]


def test_unknown_and_none_reach_the_estimator_as_different_values(
    pipelines: Pipelines,
    estimator: FakeEstimator,
    input_type: type[BaseModel],
    house: dict[str, Any],
) -> None:
    none = house | {"pool_qc": None}
    unknown = {name: value for name, value in house.items() if name != "pool_qc"}
    pipelines.evaluate([input_type.model_validate(each) for each in (none, unknown)])
    assert estimator.calls[0][0][4] == "NA"
    assert math.isnan(estimator.calls[0][1][4])


def test_null_is_unknown_when_the_data_has_no_code_for_none(
    pipelines: Pipelines,
    estimator: FakeEstimator,
    input_type: type[BaseModel],
    house: dict[str, Any],
) -> None:
    pipelines.evaluate([input_type.model_validate(house | {"garage_yr_blt": None})])
    assert math.isnan(estimator.calls[0][0][5])


def test_estimator_gets_nan_when_a_field_is_left_out(
    pipelines: Pipelines, estimator: FakeEstimator, input_type: type[BaseModel]
) -> None:
    values = {"first_flr_sf": 896, "overall_qual": 5, "neighborhood": "NAmes"}
    pipelines.evaluate([input_type.model_validate(values)])
    assert estimator.calls[0][0][:3] == [896, 5, "NAmes"]
    assert all(math.isnan(value) for value in estimator.calls[0][0][3:])


def test_every_estimator_gets_the_same_rows_in_one_call(
    card: ModelCard, input_type: type[BaseModel], house: dict[str, Any]
) -> None:
    first, second = FakeEstimator(), FakeEstimator()
    results = Pipelines(card, [first, second]).evaluate([input_type.model_validate(house)] * 2)
    assert first.calls == second.calls
    assert [len(rows) for rows in first.calls] == [2]
    assert [each.tolist() for each in results] == [[1, 1], [1, 1]]
