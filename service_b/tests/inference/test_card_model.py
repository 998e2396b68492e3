import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.inference.card_model import CardModel
from predictor.inference.prediction import Bounds, PricePrediction

ADAPTIVE = {
    "coverage": 0.9,
    "log_scale": 1.5,
    "artifact": {"file": "spread.joblib", "sha256": "0" * 64},
}


class FakeEvaluation:
    """The price is the area of the first floor times 100; the spread is the area times `spread`."""

    quick_batch = 5

    def __init__(self, spread: float | None = None) -> None:
        self.spread = spread
        self.calls = 0

    def evaluate(self, inputs: Sequence[BaseModel]) -> list[npt.NDArray[np.float64]]:
        self.calls += 1
        areas = np.array([each.__dict__["first_flr_sf"] for each in inputs], dtype=np.float64)
        return [areas * 100] if self.spread is None else [areas * 100, areas * self.spread]


def predict(
    card: ModelCard | dict[str, Any], house: dict[str, Any], spread: float | None = None
) -> PricePrediction:
    model = CardModel(ModelCard.model_validate(card), FakeEvaluation(spread))
    (prediction,) = model.predict([model.input_type.model_validate(house)])
    return prediction


def test_interval_has_the_factor_of_how_many_fields_are_given(
    card: ModelCard, house: dict[str, Any]
) -> None:
    # The identifier isn't one of them.
    bands = [{"given_at_most": len(house) - 2, "log_scale": 0.5}]
    contents = card.model_dump() | {"interval": ADAPTIVE | {"bands": bands}}
    less = {name: value for name, value in house.items() if name != "lot_frontage"}
    for given, scale in ((less, 0.5), (house, 1.5)):
        prediction = predict(contents, given, spread=0.0001)
        width = math.exp(scale * 0.0001 * house["first_flr_sf"])
        assert prediction.interval is not None
        assert prediction.interval.upper == pytest.approx(prediction.price * width)


def test_batch_is_answered_in_order_by_one_call(card: ModelCard, house: dict[str, Any]) -> None:
    evaluation = FakeEvaluation()
    model = CardModel(card, evaluation)
    areas = [900, 400, 5000, 300, 901]
    predictions = model.predict(
        [model.input_type.model_validate(house | {"first_flr_sf": area}) for area in areas]
    )
    assert [prediction.price for prediction in predictions] == [area * 100 for area in areas]
    assert evaluation.calls == 1


def test_model_is_as_quick_as_its_evaluation(card: ModelCard) -> None:
    assert CardModel(card, FakeEvaluation()).quick_batch == 5


def test_prediction_names_the_model_and_its_version(card: ModelCard, house: dict[str, Any]) -> None:
    prediction = predict(card, house)
    assert (prediction.model, prediction.model_version) == ("tiny", "1")
    assert prediction.currency == "USD"


def test_interval_is_a_factor_around_the_price(card: ModelCard, house: dict[str, Any]) -> None:
    prediction = predict(card, house | {"first_flr_sf": 1000})
    assert prediction.price == 100_000
    assert prediction.interval == Bounds(
        lower=100_000 / math.exp(0.1), upper=100_000 * math.exp(0.1), coverage=0.9
    )


def test_interval_is_as_wide_as_the_spread_says_times_the_factor(
    card_content: dict[str, Any], house: dict[str, Any]
) -> None:
    card = card_content | {"interval": ADAPTIVE}
    for area in (1000, 2000):
        prediction = predict(card, house | {"first_flr_sf": area}, spread=0.0001)
        half_width = 1.5 * 0.0001 * area
        assert prediction.interval is not None
        assert prediction.interval.coverage == 0.9
        assert prediction.interval.lower == pytest.approx(area * 100 * math.exp(-half_width))
        assert prediction.interval.upper == pytest.approx(area * 100 * math.exp(half_width))


def test_model_without_an_interval_gives_the_price_alone(
    card_content: dict[str, Any], house: dict[str, Any]
) -> None:
    del card_content["interval"]
    prediction = predict(card_content, house | {"first_flr_sf": 1000})
    assert (prediction.price, prediction.interval) == (100_000, None)


@pytest.mark.parametrize("width", [0.0, -0.1, math.nan, math.inf])
def test_spread_without_a_positive_width_is_an_error(
    card_content: dict[str, Any], house: dict[str, Any], width: float
) -> None:
    with pytest.raises(ValueError, match="the spread didn't give one finite positive width"):
        predict(card_content | {"interval": ADAPTIVE}, house, spread=width)
