"""A loaded model: from checked inputs to predictions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.input_schema import build_input_type
from predictor.schemas import Prediction, PredictionInterval


class Estimator(Protocol):
    """What scikit-learn's regressors and pipelines have in common."""

    def predict(self, rows: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]: ...


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
        self._estimator = estimator
        self._spread = spread
        # (name, what null stands for) in the estimator's order; NaN is "unknown" to it.
        self._columns = [
            (feature.name, math.nan if feature.none is None else feature.none)
            for feature in card.inputs
        ]

    def predict(self, inputs: Sequence[BaseModel]) -> list[Prediction]:
        """Predict for instances of `input_type`, in order, in one call of each estimator."""
        rows = np.empty((len(inputs), len(self._columns)), dtype=object)
        for index, values in enumerate(inputs):
            rows[index] = self._encode(values)
        prices = self._estimator.predict(rows)
        if prices.shape != (len(inputs),) or not np.all(np.isfinite(prices) & (prices > 0)):
            raise ValueError("the estimator didn't give one finite positive price for each input")
        widths = self._measure_half_widths(rows)
        return [self._tell(*each) for each in zip(prices.tolist(), widths, strict=True)]

    def _measure_half_widths(self, rows: npt.NDArray[np.object_]) -> list[float] | list[None]:
        interval = self.card.interval
        if interval is None:
            return [None] * len(rows)
        if self._spread is None or interval.log_scale is None:
            return [interval.log_half_width or 0.0] * len(rows)
        widths = interval.log_scale * self._spread.predict(rows)
        if widths.shape != (len(rows),) or not np.all(np.isfinite(widths) & (widths > 0)):
            raise ValueError("the spread didn't give one finite positive width for each input")
        return list(widths.tolist())

    def _encode(self, values: BaseModel) -> list[Any]:
        given, known = values.__dict__, values.model_fields_set
        return [
            math.nan if name not in known else none if given[name] is None else given[name]
            for name, none in self._columns
        ]

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
