"""Two versions on the same inputs, by the prices that were paid: is one better by more than chance?

The errors are compared in pairs, input by input: which houses happened to be sold moves both
versions' errors alike, and cancels out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from pydantic import BaseModel, ValidationError
from scipy import stats

from predictor.errors import PredictorError
from predictor.inference.card_model import CardModel
from predictor.inference.prediction import PricePrediction
from predictor.inference.registered_model import load_registered
from predictor.version import Folder
from training.errors import TrainingError
from training.estimator import Prices
from training.evaluation import label_bands
from training.export import LoggedInput
from training.live_quality import FEWEST_SALES, bound_share

CONFIDENCE = 0.95
_RESAMPLES = 9_999
_MOST_NUMBERS = 2_000_000  # in memory at once
# With fewer sales, a band's interval says nothing.
_FEWEST_IN_BAND = 10


@dataclass(frozen=True)
class Difference:
    """MAPE of both versions in percent; `change` of the second, with a 95% bootstrap interval."""

    name: str
    sales: int
    mape_percent: tuple[float, float]
    change: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Say `better` or `worse` of the second version if it is that by more than chance."""
        return "better" if self.high < 0 else "worse" if self.low > 0 else "chance"


@dataclass(frozen=True)
class Comparison:
    """`coverages` are the share of prices in each version's interval, and the ends of its own."""

    versions: tuple[str, str]
    unit: str
    whole: Difference
    bands: Sequence[Difference]
    coverages: Sequence[tuple[float, tuple[float, float]] | None]
    left_out: int
    knows_more: str | None = None
    """The version that has seen all rows of the data, if the other has not."""


def compare_on(
    models: tuple[CardModel, CardModel],
    export: Iterable[LoggedInput],
    price_edges: Sequence[float],
) -> Comparison:
    """Compare on the inputs that have an actual price and that neither version was trained on.

    Raises:
        TrainingError: they are too few, or a version doesn't take one of them.
    """
    name = models[0].name
    labelled = [each for each in export if each.actual_price is not None and each.is_for(name)]
    start = find_start(models)
    sold = [each for each in labelled if start is None or each.received_at >= start]
    if len(sold) < FEWEST_SALES:
        raise TrainingError(
            f"{len(sold)} inputs of {name} have an actual price and are new to both versions; "
            f"at least {FEWEST_SALES} are needed"
        )
    actual = np.array([each.actual_price for each in sold], dtype=np.float64)
    errors, coverages = [], []
    for model in models:
        predictions = model.predict(_check(model, sold))
        predicted = np.array([each.price for each in predictions])
        errors.append(100 * np.abs(predicted / actual - 1))
        coverages.append(_cover(predictions, actual.tolist()))
    first, second = errors
    return Comparison(
        (models[0].version, models[1].version),
        models[0].card.target.unit,
        measure_difference("all", first, second),
        [
            measure_difference(band, first[own], second[own])
            for band, own in label_bands(actual, price_edges)
            if own.sum() >= _FEWEST_IN_BAND
        ],
        coverages,
        left_out=len(labelled) - len(sold),
        knows_more=_find_who_knows_more(models),
    )


def measure_difference(name: str, first: Prices, second: Prices) -> Difference:
    """Compare errors in pairs."""
    change = second - first
    low = high = float(change.mean())
    if np.ptp(change):
        interval = stats.bootstrap(
            (change,),
            np.mean,
            n_resamples=_RESAMPLES,
            batch=max(1, _MOST_NUMBERS // len(change)),
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    mape = float(first.mean()), float(second.mean())
    return Difference(name, len(change), mape, float(change.mean()), low, high)


def load_model(family: Path, version: str) -> CardModel:
    """Load a version after all checks that Service B makes.

    Raises:
        TrainingError: a check failed.
    """
    try:
        return load_registered(
            family.name, Folder(LocalFileSystem(), str(family / version), version)
        )
    except PredictorError as error:
        raise TrainingError(str(error)) from error


def find_start(models: Iterable[CardModel]) -> datetime | None:
    """Give the time from which on no input was in any version's training; None if none ever was."""
    trainings = [model.card.training.labelled for model in models]
    return max((each.held_out_from for each in trainings if each is not None), default=None)


def _find_who_knows_more(models: Iterable[CardModel]) -> str | None:
    complete = [model.version for model in models if model.card.training.kept_rows is None]
    return complete[0] if len(complete) == 1 else None


def _cover(
    predictions: Sequence[PricePrediction], actual: Sequence[float]
) -> tuple[float, tuple[float, float]] | None:
    inside = [
        each.interval.lower <= price <= each.interval.upper
        for each, price in zip(predictions, actual, strict=True)
        if each.interval is not None
    ]
    return (sum(inside) / len(inside), bound_share(sum(inside), len(inside))) if inside else None


def _check(model: CardModel, sold: Iterable[LoggedInput]) -> list[BaseModel]:
    inputs = []
    for each in sold:
        try:
            inputs.append(model.input_type.model_validate(each.data))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "data"
            raise TrainingError(
                f"version {model.version} doesn't take input {each.number}: {where}: {first['msg']}"
            ) from error
    return inputs
