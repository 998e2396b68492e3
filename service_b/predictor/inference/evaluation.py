"""How estimators are evaluated: by a fast path if it gives the same as their pipelines."""

import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.errors import NoFastPath
from predictor.fast_path.plan import FastPath
from predictor.inference.pipelines import Estimator, Numbers, Pipelines
from predictor.typicality import Typicality

# A fast path adds up in another order, so that the last digits may differ.
_TOLERANCE = 1e-9

_logger = logging.getLogger(__name__)


class Evaluation(Protocol):
    """Gives the predictions of one or more estimators for the same inputs.

    With a typicality, its shares and its culprits follow.
    """

    @property
    def quick_batch(self) -> int:
        """So many inputs take so few milliseconds that no thread is needed; 0 if none is quick."""

    def evaluate(self, inputs: Sequence[BaseModel]) -> Sequence[Numbers]: ...


def choose_evaluation(
    card: ModelCard,
    estimators: Sequence[Estimator],
    trial: Sequence[BaseModel],
    typicality: Typicality | None = None,
) -> Evaluation:
    """Take a fast path if there is one that gives the same for the inputs of `trial`."""
    fields = {"model": card.name, "version": card.version}
    pipelines = Pipelines(card, estimators, typicality)
    try:
        path = FastPath(card, estimators, typicality)
        _compare(path.evaluate(trial), pipelines.evaluate(trial))
    except NoFastPath as reason:
        fields["reason"] = str(reason)
        _logger.info("model is served by its pipeline", extra={"fields": fields})
        return pipelines
    _logger.info("model has a fast path", extra={"fields": fields})
    return path


def _compare(found: Sequence[Numbers], expected: Sequence[Numbers]) -> None:
    if not np.allclose(found, expected, rtol=_TOLERANCE, atol=0):
        raise NoFastPath("it doesn't give the same as the pipeline")
