"""Inputs of the log with an actual price: read, checked and typed like the rows of the data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from predictor.card import Feature, ModelCard
from predictor.inference.input_schema import build_input_type
from predictor.inference.pipelines import Pipelines
from training.errors import TrainingError
from training.estimator import Prices
from training.export import LoggedInput
from training.hidden_fields import Inputs

KEPT = "labelled.jsonl"
LEAST_ROWS = 50
# A price so far beyond all prices of the data is a slip, such as a price in thousands.
_BEYOND = 10
_SHOWN_PROBLEMS = 3


@dataclass(frozen=True)
class Labelled:
    """Rows from the log, oldest first, each house once.

    `replaced` are the rows of the data that describe the same houses, by older sales.
    """

    inputs: Inputs
    prices: Prices
    received_at: Sequence[datetime]
    repeated: int
    replaced: npt.NDArray[np.intp]

    @cached_property
    def held_out_from(self) -> datetime:
        """The newest fifth is held out: what was received from this time on."""
        return self.received_at[-(len(self.received_at) // 5)]

    @property
    def remarks(self) -> tuple[str, ...]:
        first, last = self.received_at[0], self.received_at[-1]
        return (
            f"{len(self.prices):,} rows from the log, received {first:%Y-%m-%d %H:%M} to "
            f"{last:%Y-%m-%d %H:%M} UTC",
            f"{self.repeated:,} inputs left out: a later one describes the same house",
            f"{len(self.replaced):,} rows of the data left out: the log has a newer sale of the "
            "same house",
        )


def keep_labelled(logged: Iterable[LoggedInput], model: str) -> bytes:
    """Give a model's inputs that have an actual price, oldest first, as an export has them.

    Raises:
        TrainingError: they are too few, or one was never predicted.
    """
    labelled = [each for each in logged if each.actual_price is not None and each.is_for(model)]
    never = [each.number for each in labelled if each.outcome != "predicted"]
    if never:
        raise TrainingError(f"input {never[0]} has an actual price, but was never predicted")
    _require_enough(len(labelled), model)
    labelled.sort(key=lambda each: (each.received_at, each.number))
    return "".join(f"{each.model_dump_json()}\n" for each in labelled).encode()


def read_labelled(
    kept: bytes, name: str, features: Sequence[Feature], inputs: Inputs, prices: Prices
) -> Labelled:
    """Read what was kept, as rows of the model `name`, whose data has `inputs` and `prices`.

    Raises:
        TrainingError: an input isn't one that the features allow, a price can't be true, or there
            are too few.
    """
    logged = [LoggedInput.model_validate_json(line) for line in kept.splitlines()]
    card = ModelCard.model_construct(
        name=name, features=tuple(features), description="", example={}
    )
    input_type = build_input_type(card)
    allowed, problems = [], []
    for each in logged:
        try:
            allowed.append(input_type.model_validate(each.data))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            problems.append(f"input {each.number}: {where}: {first['msg']}".replace(": :", ":"))
        price, low, high = each.actual_price or 0, prices.min() / _BEYOND, prices.max() * _BEYOND
        if not low <= price <= high:
            problems.append(
                f"input {each.number}: a price of {price:,.0f} can't be true, "
                f"it isn't between {low:,.0f} and {high:,.0f}"
            )
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        raise TrainingError(
            "labelled inputs can't be used: "
            + "; ".join(problems[:_SHOWN_PROBLEMS])
            + (f"; and {more} more" if more > 0 else "")
        )
    rows = Pipelines(card, ()).encode(allowed)
    houses = _identify(rows)
    newest = sorted({house: index for index, house in enumerate(houses)}.values())
    _require_enough(len(newest), name)
    if logged[newest[0]].received_at == logged[newest[-1]].received_at:
        raise TrainingError("all labelled inputs were received at once: none is newer than others")
    sold_again = set(houses)
    return Labelled(
        rows[newest],
        np.array([logged[index].actual_price for index in newest], dtype=np.float64),
        [logged[index].received_at for index in newest],
        len(logged) - len(newest),
        np.flatnonzero([house in sold_again for house in _identify(inputs)]),
    )


def _require_enough(count: int, model: str) -> None:
    if count < LEAST_ROWS:
        raise TrainingError(
            f"{count} different inputs of {model} have an actual price; at least {LEAST_ROWS} are "
            "needed, a fifth of which is only judged by"
        )


def _identify(rows: Inputs) -> list[tuple[object, ...]]:
    """Give each row as what is equal for the same house; NaN is not equal to itself."""
    return [tuple(None if value != value else value for value in row) for row in rows]
