import math
from typing import Any

import pytest

from predictor.errors import InputRejected
from predictor.inference.prediction import Bounds, Prediction, PricePrediction
from predictor.shadow.difference import find_difference
from tests.shadow.fake_model import Number

BOUNDS = Bounds(90, 115, 0.9)


def price(value: Any, interval: Bounds | None = BOUNDS) -> PricePrediction:
    return PricePrediction(value, "USD", interval, "fake", "1")


@pytest.mark.parametrize(("other", "within"), [(110, True), (90, True), (120, False), (80, False)])
def test_difference_is_a_share_of_what_was_answered(other: float, within: bool) -> None:
    found = find_difference("abc", price(100), price(other))
    assert (found.price, found.challenger_price, found.request_id) == (100, other, "abc")
    assert found.difference == pytest.approx(other / 100 - 1)
    assert found.size == abs(found.difference)
    assert found.within_interval is within


def test_nothing_is_within_an_interval_that_was_not_answered() -> None:
    assert find_difference("", price(100, None), price(100)).within_interval is None


def test_predictions_of_hooks_are_compared_too() -> None:
    found = find_difference("", Prediction.of(price(100)), Prediction.of(price(110)))
    assert (found.challenger_price, found.within_interval) == (110, True)


@pytest.mark.parametrize("value", [math.nan, math.inf, 0, -1, "100", None])
def test_what_is_no_price_is_not_compared(value: Any) -> None:
    with pytest.raises(ValueError, match=f"the challenger's price is {value}"):
        find_difference("", price(100), price(value))
    with pytest.raises(ValueError, match=f"the answer's price is {value}"):
        find_difference("", price(value), price(100))


def test_output_of_a_class_without_a_price_is_not_compared() -> None:
    with pytest.raises(ValueError, match="the answer's price is None"):
        find_difference("", Number(value=1), price(100))


def test_rejection_by_the_challenger_is_no_difference() -> None:
    with pytest.raises(InputRejected, match="too old"):
        find_difference("", price(100), InputRejected("too old"))
