"""Inputs drawn as a card says that its training rows were distributed, and what they sold for."""

from datetime import timedelta

import numpy as np
import numpy.typing as npt

from predictor.card import Feature, ModelCard
from tests.training.exported_inputs import STARTED_AT
from training.export import LoggedInput
from training.log_inputs import LogInputs

Values = npt.NDArray[np.float64]


def draw_inputs(
    card: ModelCard,
    count: int,
    random: np.random.Generator,
    *,
    only_required: bool = False,
    price_factor: float = 1,
) -> LogInputs:
    """Draw inputs that are priced as well as the card promises, before prices rise."""
    values = np.column_stack([draw_values(each, count, random) for each in card.inputs])
    if only_required:
        values[:, [not each.required for each in card.inputs]] = np.nan
    share = "0" if only_required else "1"
    promised = card.metrics["by_share_of_optional_fields_known"][share]["mape_percent"] / 100
    assert card.interval is not None
    actual = 200_000 * random.lognormal(sigma=0.4, size=count)
    predicted = actual * (1 + random.choice([-1, 1], count) * _draw_errors(promised, random, count))
    # Of exponential errors this many times the mean holds the share that is promised.
    width = -np.log(1 - card.interval.coverage) * promised
    logged = [
        LoggedInput.model_construct(
            number=number,
            request_id=f"request-{number}",
            received_at=STARTED_AT + timedelta(hours=number),
            model=card.name,
            outcome="predicted",
            price=price,
            model_version=card.version,
            interval_lower=paid * price / paid / (1 + width),
            interval_upper=price / max(1 - width, 0.01),
            actual_price=paid * price_factor,
            actual_at=None,
            data=None,
        )
        for number, (paid, price) in enumerate(
            zip(actual.tolist(), predicted.tolist(), strict=True), start=1
        )
    ]
    return LogInputs(values, logged)


def draw_values(feature: Feature, count: int, random: np.random.Generator) -> Values:
    """Draw a feature's values, unknown ones too; a category as its place."""
    found = feature.distribution
    assert found is not None
    shares = np.array(found.shares)
    parts = random.choice(len(shares), count, p=shares / shares.sum())
    values = parts.astype(np.float64)
    if found.edges is not None and found.quantiles is not None:
        least = found.quantiles["0"]
        low = np.array([least - (feature.kind == "integer"), *found.edges])[parts]
        high = np.array([*found.edges, found.quantiles["1"]])[parts]
        values = high - random.uniform(size=count) * (high - low)
        if feature.kind == "integer":
            values = np.ceil(values)
    return np.where(random.uniform(size=count) < found.unknown, np.nan, values)


def shift_values(feature: Feature, values: Values, random: np.random.Generator) -> Values:
    """Move them by half their standard deviation, whole numbers on average."""
    shift = np.nanstd(values) / 2
    if feature.kind == "integer":
        return values + np.floor(shift + random.uniform(size=len(values)))
    return values + shift


def _draw_errors(mean: float, random: np.random.Generator, count: int) -> Values:
    return np.minimum(random.exponential(mean, count), 0.9)
