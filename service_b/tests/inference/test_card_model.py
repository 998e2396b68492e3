import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import BaseModel
from pydantic_core import to_json

from predictor.card import ModelCard
from predictor.inference.card_model import Bounds, Model, describe
from predictor.inference.prediction import PredictionInterval


class FakeEstimator:
    """Records the rows that it is given; the price is the area of the first floor, times 100."""

    def __init__(self) -> None:
        self.calls: list[list[list[Any]]] = []

    def predict(self, rows: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
        self.calls.append(rows.tolist())
        return np.array([row[0] * 100 for row in rows], dtype=np.float64)


@pytest.fixture
def estimator() -> FakeEstimator:
    return FakeEstimator()


@pytest.fixture
def model(card: ModelCard, estimator: FakeEstimator) -> Model:
    return Model(card, estimator)


def make_input(model: Model, values: dict[str, Any]) -> BaseModel:
    return model.input_type.model_validate(values)


def test_estimator_gets_the_columns_in_order_without_the_identifier(
    model: Model, estimator: FakeEstimator
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
    model.predict([make_input(model, values)])
    assert estimator.calls == [[[896, 5, "C (all)", 60, "Gd", 1961, 80.5]]]


def test_unknown_and_none_reach_the_estimator_as_different_values(
    model: Model, estimator: FakeEstimator, house: dict[str, Any]
) -> None:
    none = house | {"pool_qc": None}
    unknown = {name: value for name, value in house.items() if name != "pool_qc"}
    model.predict([make_input(model, none), make_input(model, unknown)])
    assert estimator.calls[0][0][4] == "NA"
    assert math.isnan(estimator.calls[0][1][4])


def test_null_is_unknown_when_the_data_has_no_code_for_none(
    model: Model, estimator: FakeEstimator, house: dict[str, Any]
) -> None:
    model.predict([make_input(model, house | {"garage_yr_blt": None})])
    assert math.isnan(estimator.calls[0][0][5])


def test_estimator_gets_nan_when_a_field_is_left_out(
    model: Model, estimator: FakeEstimator
) -> None:
    values = {"first_flr_sf": 896, "overall_qual": 5, "neighborhood": "NAmes"}
    model.predict([make_input(model, values)])
    assert estimator.calls[0][0][:3] == [896, 5, "NAmes"]
    assert all(math.isnan(value) for value in estimator.calls[0][0][3:])


def test_batch_is_answered_in_order_by_one_call(
    model: Model, estimator: FakeEstimator, house: dict[str, Any]
) -> None:
    areas = [900, 400, 5000, 300, 901]
    predictions = model.predict(
        [make_input(model, house | {"first_flr_sf": area}) for area in areas]
    )
    assert [prediction.price for prediction in predictions] == [area * 100 for area in areas]
    assert len(estimator.calls) == 1


def test_prediction_names_the_model_and_its_version(model: Model, house: dict[str, Any]) -> None:
    (prediction,) = model.predict([make_input(model, house)])
    assert (prediction.model, prediction.model_version) == ("tiny", "1")
    assert prediction.currency == "USD"


def test_interval_is_a_factor_around_the_price(model: Model, house: dict[str, Any]) -> None:
    (prediction,) = model.predict([make_input(model, house | {"first_flr_sf": 1000})])
    assert prediction.price == 100_000
    assert prediction.interval == PredictionInterval(
        lower=100_000 / math.exp(0.1), upper=100_000 * math.exp(0.1), coverage=0.9
    )


def test_money_is_rounded_to_cents_only_where_it_is_told(
    model: Model, house: dict[str, Any]
) -> None:
    (prediction,) = model.predict([make_input(model, house | {"first_flr_sf": 1000 / 3})])
    assert prediction.price == 1000 / 3 * 100
    told = prediction.model_dump()
    assert told["price"] == 33333.33
    assert told["interval"]["upper"] == round(1000 / 3 * 100 * math.exp(0.1), 2)


@pytest.mark.parametrize("interval", [{"coverage": 0.9, "log_half_width": 0.1}, None])
@pytest.mark.parametrize("unit", ["USD", "EUR", 'a "dollar"'])
def test_answers_are_the_predictions_as_they_are_told(
    interval: Any, unit: str, card_content: dict[str, Any], house: dict[str, Any]
) -> None:
    card_content["target"]["unit"] = unit
    card = ModelCard.model_validate(card_content | {"interval": interval})
    model = Model(card, FakeEstimator())
    inputs = [
        make_input(model, house | {"first_flr_sf": area})
        for area in (334, 334.00005, 1000 / 3, 4999.99995, 5000)
    ]
    told = [model.tell(each) for each in model.predict(inputs)]
    assert to_json(model.answer(inputs)) == to_json(told)


@pytest.mark.parametrize(
    ("price", "lower", "upper", "message"),
    [
        (208_500, 189_237, 229_762.4, "$208,500 (90% interval $189,000 to $230,000)"),
        (208_499.5, 188_500, 189_499, "$208,500 (90% interval $188,000 to $189,000)"),
        (12_789.4, 11_550, 14_049, "$12,789 (90% interval $11,600 to $14,000)"),
        (999_600, 999_499, 999_500.1, "$999,600 (90% interval $999,000 to $1,000,000)"),
        (1_234_567, 1_116_000, 1_364_000, "$1,234,567 (90% interval $1,120,000 to $1,360,000)"),
        (123.4, 99.6, 150.2, "$123 (90% interval $100 to $150)"),
        (9.6, 8.7, 10.6, "$10 (90% interval $9 to $11)"),
        (0.4, 0.3, 0.6, "$0 (90% interval $0 to $1)"),
    ],
)
def test_message_rounds_the_price_to_units_and_the_interval_to_three_digits(
    price: float, lower: float, upper: float, message: str
) -> None:
    assert describe(price, "USD", Bounds(lower, upper, 0.9)) == f"Predicted price: {message}"


def test_message_names_the_currency_when_it_is_not_the_dollar() -> None:
    message = describe(1000, "EUR", Bounds(900, 1100, 0.9))
    assert message == "Predicted price: EUR 1,000 (90% interval EUR 900 to EUR 1,100)"
