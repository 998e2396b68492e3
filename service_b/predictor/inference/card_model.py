"""A loaded model: from checked inputs to predictions."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.errors import NoFastPath
from predictor.inference.input_schema import build_input_type
from predictor.inference.pipelines import Estimator, Evaluation, Pipelines, find_fast_path
from predictor.inference.prediction import Prediction, PredictionInterval
from predictor.inference.served_model import Answer

# What takes a fast path some 3 ms.
_QUICK_BATCH = 128

_logger = logging.getLogger(__name__)


class Bounds(NamedTuple):
    """The true price lies between `lower` and `upper` in a share `coverage` of cases."""

    lower: float
    upper: float
    coverage: float


class Model:
    """A model in memory: its card, the type of its inputs and its estimators.

    `spread` gives the half width of the interval on the log scale, before the card's factor;
    None where that is constant.
    """

    def __init__(
        self, card: ModelCard, estimator: Estimator, spread: Estimator | None = None
    ) -> None:
        self.card = card
        self.name = card.name
        self.version = card.version
        self.example: Mapping[str, Any] = card.example
        self.metadata: Mapping[str, Any] = card.model_dump(mode="json")
        self.columns: Mapping[str, str] = {each.column: each.name for each in card.inputs}
        self.input_type = build_input_type(card)
        self.prediction_type = Prediction
        self.estimators = [estimator] if spread is None else [estimator, spread]
        self.evaluation: Evaluation = Pipelines(card, self.estimators)
        self.quick_batch = 0

    def speed_up(self, trial: Sequence[BaseModel]) -> None:
        """From now on predict without the pipelines, if that gives the same for `trial`."""
        fields = {"model": self.name, "version": self.version}
        try:
            self.evaluation = find_fast_path(self.card, self.estimators, trial)
        except NoFastPath as reason:
            fields["reason"] = str(reason)
            _logger.info("model is served by its pipeline", extra={"fields": fields})
        else:
            self.quick_batch = _QUICK_BATCH
            _logger.info("model has a fast path", extra={"fields": fields})

    def predict(self, inputs: Sequence[BaseModel]) -> list[Prediction]:
        """Predict for instances of `input_type`, in order, in one call of each estimator."""
        return [
            Prediction(
                price=price,
                currency=self.card.target.unit,
                interval=bounds
                and PredictionInterval(
                    lower=bounds.lower, upper=bounds.upper, coverage=bounds.coverage
                ),
                model=self.name,
                model_version=self.version,
            )
            for price, bounds in self._estimate(inputs)
        ]

    def tell(self, prediction: BaseModel) -> Answer:
        """Give the prediction, and the price in words."""
        if not isinstance(prediction, Prediction):
            return {"prediction": prediction}
        message = describe(prediction.price, prediction.currency, prediction.interval)
        return {"prediction": prediction, "message": message}

    def answer(self, inputs: Sequence[BaseModel]) -> list[Answer]:
        """Predict and tell; without objects on the way, which would take twice as long."""
        currency = self.card.target.unit
        return [
            {
                "prediction": {
                    "price": round(price, 2),
                    "currency": currency,
                    "interval": bounds
                    and {
                        "lower": round(bounds.lower, 2),
                        "upper": round(bounds.upper, 2),
                        "coverage": bounds.coverage,
                    },
                    "model": self.name,
                    "model_version": self.version,
                },
                "message": describe(price, currency, bounds),
            }
            for price, bounds in self._estimate(inputs)
        ]

    def to_value(self, prediction: BaseModel) -> Any:
        """Give the price as the estimator gave it."""
        return prediction.price if isinstance(prediction, Prediction) else None

    def _estimate(self, inputs: Sequence[BaseModel]) -> list[tuple[float, Bounds | None]]:
        prices, *spreads = [each.tolist() for each in self.evaluation.evaluate(inputs)]
        if not _are_positive(prices, len(inputs)):
            raise ValueError("the estimator didn't give one finite positive price for each input")
        interval = self.card.interval
        if interval is None:
            return [(price, None) for price in prices]
        widths = [interval.log_half_width or 0.0] * len(inputs)
        if spreads and interval.log_scale is not None:
            widths = [interval.log_scale * each for each in spreads[0]]
            if not _are_positive(widths, len(inputs)):
                raise ValueError("the spread didn't give one finite positive width for each input")
        return [
            (price, Bounds(price / factor, price * factor, interval.coverage))
            for price, factor in zip(prices, map(math.exp, widths), strict=True)
        ]


def _are_positive(values: list[float], count: int) -> bool:
    return len(values) == count and all(0 < value < math.inf for value in values)


def describe(price: float, currency: str, bounds: Bounds | PredictionInterval | None) -> str:
    """Say a price in words, rounded as people say prices."""
    sign = "$" if currency == "USD" else f"{currency} "
    message = f"Predicted price: {sign}{price:,.0f}"
    if bounds is None:
        return message
    lower, upper = _round(bounds.lower), _round(bounds.upper)
    return f"{message} ({bounds.coverage:.0%} interval {sign}{lower} to {sign}{upper})"


def _round(price: float) -> str:
    """Round to three digits, at least to whole units: 189,237 becomes 189,000."""
    return f"{float(f'{price:.3g}') if price >= 100 else price:,.0f}"
