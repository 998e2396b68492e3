"""Estimators evaluated as they were trained; `predictor.fast_path` gives the same in less time."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.typicality import Typicality, measure_loneliness

Numbers = npt.NDArray[np.float64]


class Estimator(Protocol):
    """What scikit-learn's regressors and pipelines have in common."""

    def predict(self, rows: npt.NDArray[np.object_]) -> Numbers: ...


class Pipelines:
    """One call of `predict` for each estimator, on rows of objects."""

    quick_batch = 0

    def __init__(
        self,
        card: ModelCard,
        estimators: Sequence[Estimator],
        typicality: Typicality | None = None,
    ) -> None:
        self._estimators = estimators
        self._typicality = typicality
        self._distances = card.typical and card.typical.distances
        self._places = [
            {category: place for place, category in enumerate(each.categories or ())}
            for each in card.inputs
        ]
        # (name, what null stands for) in the estimators' order; NaN is "unknown" to them.
        self._columns = [
            (feature.name, math.nan if feature.none is None else feature.none)
            for feature in card.inputs
        ]

    def evaluate(self, inputs: Sequence[BaseModel]) -> list[Numbers]:
        """Give the predictions of each estimator."""
        rows = self.encode(inputs)
        predictions = [each.predict(rows) for each in self._estimators]
        if self._typicality is None:
            return predictions
        loneliness = None
        if self._distances:
            first: Any = self._estimators[0]
            matrix = first.regressor_[:-1].transform(rows)
            loneliness = measure_loneliness(*matrix.take(self._distances, axis=1).T)
        return [*predictions, *self._typicality.measure(self._number(rows), loneliness)]

    def encode(self, inputs: Sequence[BaseModel]) -> npt.NDArray[np.object_]:
        """Give the inputs as rows of the estimators' columns."""
        rows = np.empty((len(inputs), len(self._columns)), dtype=object)
        for index, values in enumerate(inputs):
            rows[index] = self._encode(values)
        return rows

    def _number(self, rows: npt.NDArray[np.object_]) -> Numbers:
        """Give a category's place for each category."""
        return np.array(
            [
                [
                    places.get(value, len(places)) if places else value
                    for value, places in zip(row, self._places, strict=True)
                ]
                for row in rows
            ],
            dtype=np.float64,
        )

    def _encode(self, values: BaseModel) -> list[Any]:
        given, known = values.__dict__, values.model_fields_set
        return [
            math.nan if name not in known else none if given[name] is None else given[name]
            for name, none in self._columns
        ]
