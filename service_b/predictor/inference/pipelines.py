"""How a loaded model's estimators are evaluated: by their pipelines, or faster."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.errors import NoFastPath
from predictor.fast_path.plan import FastPath

Numbers = npt.NDArray[np.float64]

# A fast path adds up in another order, so that the last digits may differ.
_TOLERANCE = 1e-9


class Estimator(Protocol):
    """What scikit-learn's regressors and pipelines have in common."""

    def predict(self, rows: npt.NDArray[np.object_]) -> Numbers: ...


class Evaluation(Protocol):
    """Gives the predictions of one or more estimators for the same inputs."""

    def evaluate(self, inputs: Sequence[BaseModel]) -> Sequence[Numbers]: ...


class Pipelines:
    """The estimators as they were trained: one call of `predict` each, on object rows."""

    def __init__(self, card: ModelCard, estimators: Sequence[Estimator]) -> None:
        self._estimators = estimators
        # (name, what null stands for) in the estimators' order; NaN is "unknown" to them.
        self._columns = [
            (feature.name, math.nan if feature.none is None else feature.none)
            for feature in card.inputs
        ]

    def evaluate(self, inputs: Sequence[BaseModel]) -> list[Numbers]:
        rows = np.empty((len(inputs), len(self._columns)), dtype=object)
        for index, values in enumerate(inputs):
            rows[index] = self._encode(values)
        return [each.predict(rows) for each in self._estimators]

    def _encode(self, values: BaseModel) -> list[Any]:
        given, known = values.__dict__, values.model_fields_set
        return [
            math.nan if name not in known else none if given[name] is None else given[name]
            for name, none in self._columns
        ]


def find_fast_path(
    card: ModelCard, estimators: Sequence[Estimator], trial: Sequence[BaseModel]
) -> FastPath:
    """Make a fast path, and hold it to the pipelines on the inputs of `trial`.

    Raises:
        NoFastPath: there is none, or it doesn't give the same.
    """
    path = FastPath(card, estimators)
    expected = Pipelines(card, estimators).evaluate(trial)
    if not np.allclose(path.evaluate(trial), expected, rtol=_TOLERANCE, atol=0):
        raise NoFastPath("it doesn't give the same as the pipeline")
    return path
