from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import to_json

from predictor.errors import InputRejected, InvalidInput
from predictor.inference.prediction import Bounds, InputWarning, Prediction, PricePrediction
from predictor.web.answers import describe, write_answer, write_result


class Species(BaseModel):
    """What a Python class might predict."""

    species: str
    model: str
    model_version: str


def test_price_is_answered_rounded_to_cents_with_words_beside_it() -> None:
    bounds = Bounds(lower=189_237.001, upper=229_762.399, coverage=0.9)
    assert write_answer(PricePrediction(208_500.004, "USD", bounds, "tiny", "7")) == {
        "prediction": {
            "price": 208_500.0,
            "currency": "USD",
            "interval": {"lower": 189_237.0, "upper": 229_762.4, "coverage": 0.9},
            "model": "tiny",
            "model_version": "7",
        },
        "message": "Predicted price: $208,500 (90% interval $189,000 to $230,000)",
    }


@pytest.mark.parametrize("bounds", [Bounds(1 / 3, 2 / 3, 0.9), None])
@pytest.mark.parametrize("currency", ["USD", "EUR", 'a "dollar"'])
@pytest.mark.parametrize("price", [334.0, 334.00005, 1000 / 3, 4999.99995])
def test_price_is_answered_the_same_when_it_went_through_a_hook(
    price: float, currency: str, bounds: Bounds | None
) -> None:
    prediction = PricePrediction(price, currency, bounds, "tiny", "1")
    hooked = Prediction.of(prediction)
    assert to_json(write_answer(prediction)) == to_json(write_answer(hooked))


def test_warnings_stand_beside_the_prediction_and_how_typical_it_is_within() -> None:
    warnings = (InputWarning(("a", "b"), "A is 3, but b says none"), InputWarning((), "Unusual"))
    prediction = PricePrediction(1.0, "USD", None, "tiny", "1", warnings, typical=0.12345)
    answer = write_answer(prediction)
    assert answer["warnings"] == [
        {"fields": ("a", "b"), "msg": "A is 3, but b says none"},
        {"fields": (), "msg": "Unusual"},
    ]
    assert answer["prediction"]["typical"] == 0.123
    assert to_json(answer) == to_json(write_answer(Prediction.of(prediction)))


def test_own_output_of_a_class_is_answered_as_it_is_without_words() -> None:
    output = Species(species="setosa", model="iris", model_version="1")
    assert write_answer(output) == {"prediction": output}


def test_result_of_a_batch_is_an_answer_or_what_is_wrong_with_the_input() -> None:
    loc: list[str | int] = ["body", "inputs", 3]
    prediction = PricePrediction(1.0, "USD", None, "tiny", "1")
    problem: dict[str, Any] = {"type": "missing", "loc": loc, "msg": "Field required"}
    assert write_result(prediction, loc) == write_answer(prediction)
    assert write_result(InvalidInput([problem]), loc) == {"error": {"detail": [problem]}}
    assert write_result(InputRejected("not for sale"), loc) == {
        "error": {"detail": [{"type": "rejected", "loc": loc, "msg": "not for sale"}]}
    }


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


def test_message_is_the_price_alone_when_there_is_no_interval() -> None:
    assert describe(100_000, "USD", None) == "Predicted price: $100,000"
