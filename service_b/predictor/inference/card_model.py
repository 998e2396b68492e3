"""A model with a card: from checked inputs to prices with their intervals."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.inference.evaluation import Evaluation
from predictor.inference.input_schema import build_input_type
from predictor.inference.prediction import Bounds, InputWarning, Prediction, PricePrediction
from predictor.inference.relations import build_checks, find_warnings
from predictor.inference.unusual import Unusual
from predictor.typicality import NOBODY


class CardModel:
    """A model in memory: its card, the type of its inputs, and the evaluation of its estimators.

    The first estimator gives the price. If there is a second, it gives the half width of the
    interval on the log scale, before the card's factor.
    """

    def __init__(
        self, card: ModelCard, evaluation: Evaluation, unusual: Unusual | None = None
    ) -> None:
        self.card = card
        self.evaluation = evaluation
        self._unusual = unusual
        self.name = card.name
        self.version = card.version
        self.example: Mapping[str, Any] = card.example
        self.metadata: Mapping[str, Any] = card.model_dump(mode="json")
        self.columns: Mapping[str, str] = {each.column: each.name for each in card.inputs}
        self.input_type = build_input_type(card)
        self.prediction_type = Prediction
        self._checks = build_checks(card.relations, card.features)
        self._identifiers = {each.name for each in card.features if each.kind == "identifier"}
        bands = card.interval.bands if card.interval else ()
        self._edges = [each.given_at_most for each in bands]
        self._scales = [each.log_scale for each in bands]
        if card.interval and card.interval.log_scale:
            self._scales.append(card.interval.log_scale)

    @property
    def quick_batch(self) -> int:
        return self.evaluation.quick_batch

    def predict(self, inputs: Sequence[BaseModel]) -> list[PricePrediction]:
        """Predict for instances of `input_type`, in order, in one call of each estimator.

        Raises:
            ValueError: an estimator doesn't give one finite positive number for each input.
        """
        warnings, results = self._find_warnings(inputs), self.evaluation.evaluate(inputs)
        shares: list[float | None] = [None] * len(inputs)
        factors = [1.0] * len(inputs)
        if self._unusual:
            *results, typical, culprits = results
            shares, factors = typical.tolist(), self._unusual.measure_factors(typical)
            for row, culprit in enumerate(culprits.tolist()):
                if culprit != NOBODY:
                    warnings[row] += (self._unusual.warn(int(culprit), typical[row]),)
        prices, *spreads = [each.tolist() for each in results]
        _require_positive("the estimator", "price", prices, len(inputs))
        currency, name, version = self.card.target.unit, self.name, self.version
        intervals = self._find_intervals(inputs, factors, prices, *spreads)
        return [
            PricePrediction(price, currency, interval, name, version, warned, share)
            for price, interval, warned, share in zip(
                prices, intervals, warnings, shares, strict=True
            )
        ]

    def _find_warnings(self, inputs: Sequence[BaseModel]) -> list[tuple[InputWarning, ...]]:
        if not self._checks:
            return [()] * len(inputs)
        return [find_warnings(self._checks, each) for each in inputs]

    def _find_intervals(
        self,
        inputs: Sequence[BaseModel],
        factors: list[float],
        prices: list[float],
        spread: list[float] | None = None,
    ) -> Sequence[Bounds | None]:
        interval = self.card.interval
        if interval is None:
            return [None] * len(prices)
        if spread is None:
            widths = [interval.log_half_width or 0.0] * len(prices)
        else:
            scales = map(self._choose_scale, inputs)
            widths = [scale * each for scale, each in zip(scales, spread, strict=True)]
            _require_positive("the spread", "width", widths, len(prices))
        ratios = [math.exp(factor * width) for factor, width in zip(factors, widths, strict=True)]
        return [
            Bounds(price / ratio, price * ratio, interval.coverage)
            for price, ratio in zip(prices, ratios, strict=True)
        ]

    def _choose_scale(self, values: BaseModel) -> float:
        given = len(values.__pydantic_fields_set__ - self._identifiers)
        return self._scales[bisect_left(self._edges, given)]


def _require_positive(part: str, number: str, values: list[float], count: int) -> None:
    if len(values) != count or not all(0 < value < math.inf for value in values):
        raise ValueError(f"{part} didn't give one finite positive {number} for each input")
