"""A loaded model: from checked inputs to predictions."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.errors import NoFastPath
from predictor.evaluation import Estimator, Evaluation, Pipelines, find_fast_path
from predictor.input_schema import build_input_type
from predictor.schemas import Prediction, PredictionInterval

# What takes a fast path some 3 ms.
_QUICK_BATCH = 128

_logger = logging.getLogger(__name__)


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
        prices, *spreads = [each.tolist() for each in self.evaluation.evaluate(inputs)]
        if not _are_positive(prices, len(inputs)):
            raise ValueError("the estimator didn't give one finite positive price for each input")
        return list(map(self._tell, prices, self._measure_half_widths(len(inputs), *spreads)))

    def _measure_half_widths(
        self, count: int, spreads: list[float] | None = None
    ) -> list[float] | list[None]:
        interval = self.card.interval
        if interval is None:
            return [None] * count
        if spreads is None or interval.log_scale is None:
            return [interval.log_half_width or 0.0] * count
        widths = [interval.log_scale * each for each in spreads]
        if not _are_positive(widths, count):
            raise ValueError("the spread didn't give one finite positive width for each input")
        return widths

    def _tell(self, price: float, half_width: float | None) -> Prediction:
        interval = None
        if self.card.interval is not None and half_width is not None:
            factor = math.exp(half_width)
            interval = PredictionInterval(
                lower=price / factor,
                upper=price * factor,
                coverage=self.card.interval.coverage,
            )
        return Prediction(
            price=price,
            currency=self.card.target.unit,
            interval=interval,
            model=self.card.name,
            model_version=self.card.version,
        )

    def describe(self, prediction: BaseModel) -> str | None:
        """Say the price in words."""
        return describe(prediction) if isinstance(prediction, Prediction) else None

    def to_value(self, prediction: BaseModel) -> Any:
        """Give the price as the estimator gave it."""
        return prediction.price if isinstance(prediction, Prediction) else None


def _are_positive(values: list[float], count: int) -> bool:
    return len(values) == count and all(0 < value < math.inf for value in values)


def describe(prediction: Prediction) -> str:
    """Say a prediction in words, rounded as people say prices."""
    interval = prediction.interval
    sign = "$" if prediction.currency == "USD" else f"{prediction.currency} "
    message = f"Predicted price: {sign}{prediction.price:,.0f}"
    if interval is None:
        return message
    return (
        f"{message} ({interval.coverage:.0%} interval "
        f"{sign}{_round(interval.lower):,} to {sign}{_round(interval.upper):,})"
    )


def _round(price: float) -> int:
    """Round to three digits, at least to whole units: 189,237 becomes 189,000."""
    digits = 2 - math.floor(math.log10(max(price, 1)))
    return int(round(price, min(0, digits)))
