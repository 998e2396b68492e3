"""The inputs of one model in the log, as rows that can be compared with those of training."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError

from predictor.card import Feature, ModelCard
from predictor.inference.input_schema import build_input_type
from predictor.inference.pipelines import Pipelines
from training.errors import TrainingError
from training.export import LoggedInput
from training.live_quality import Sales

_REASONS = {
    "missing": "is missing",
    "extra_forbidden": "is no field",
    "literal_error": "no such category",
    "greater_than_equal": "out of bounds",
    "less_than_equal": "out of bounds",
    "multiple_of": "not a whole number",
    "model_type": "is not an object",
}
_MOST_CHARS = 40
_AT_ONCE = 10_000


@dataclass
class LogInputs:
    """What was sent to a model: values of the allowed inputs, and why the others are refused.

    A row of `values` has a number per input of the card: a category is its place in the card's
    `categories`, NaN is unknown.
    """

    values: npt.NDArray[np.float64]
    logged: list[LoggedInput] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    never_seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        return self.refusals.total()


def collect(card: ModelCard, export: Iterable[LoggedInput]) -> LogInputs:
    """Take a model's inputs from an export; those that were only to be logged aren't for it.

    Raises:
        TrainingError: it has none.
    """
    found = LogInputs(np.empty((0, len(card.inputs))))
    input_type, pipelines = build_input_type(card), Pipelines(card, ())
    own = (each for each in export if each.outcome != "logged" and each.is_for(card.name))
    blocks = [found.values]
    while block := list(islice(own, _AT_ONCE)):
        rows = pipelines.encode(list(_check(input_type, block, found)))
        blocks.append(_to_numbers(card.inputs, rows))
    found.values = np.concatenate(blocks)
    if not found.logged and not found.refused:
        raise TrainingError(f"the export has no input of {card.name}")
    return found


def find_sales(card: ModelCard, found: LogInputs) -> Sales:
    """Take those that the card's version has priced and that were sold since."""
    own = [
        place
        for place, each in enumerate(found.logged)
        if each.actual_price is not None
        and each.price is not None
        and each.model_version == card.version
    ]
    logged = [found.logged[place] for place in own]
    optional = np.array([not feature.required for feature in card.inputs])
    known = ~np.isnan(found.values[own][:, optional])
    actual, predicted, lower, upper = (
        np.array([getattr(each, name) for each in logged], dtype=np.float64)
        for name in ("actual_price", "price", "interval_lower", "interval_upper")
    )
    weeks = [name_week(each.received_at) for each in logged]
    known_shares = known.mean(axis=1) if optional.any() else np.ones(len(own))
    return Sales(weeks, actual, predicted, lower, upper, known_shares)


def name_week(time: datetime) -> str:
    """Name the week as ISO 8601 does, such as `2026-W45`."""
    return f"{time:%G-W%V}"


def _check(
    input_type: type[BaseModel], block: Iterable[LoggedInput], found: LogInputs
) -> Iterator[BaseModel]:
    for each in block:
        try:
            values = input_type.model_validate(each.data)
        except ValidationError as error:
            _note(error, found)
        else:
            found.logged.append(each.model_copy(update={"data": None}))
            yield values


def _note(error: ValidationError, found: LogInputs) -> None:
    problems = error.errors(include_url=False)
    first = problems[0]
    name = str(first["loc"][0]) if first["loc"] else "input"
    reason = _REASONS.get(first["type"], "of the wrong type")
    found.refusals[f"{_shorten(name)}: {reason}"] += 1
    for each in problems:
        if each["type"] == "literal_error":
            found.never_seen[str(each["loc"][0]), _shorten(each["input"])] += 1


def _shorten(value: Any) -> str:
    """Give a value, which anybody may have sent, as it can stand in one line of a report."""
    text = value if isinstance(value, str) and value.isidentifier() else json.dumps(value)
    return text[:_MOST_CHARS]


def _to_numbers(
    features: Iterable[Feature], rows: npt.NDArray[np.object_]
) -> npt.NDArray[np.float64]:
    numbers = np.empty(rows.shape)
    for place, feature in enumerate(features):
        column = rows[:, place]
        if feature.categories is not None:
            places = {category: index for index, category in enumerate(feature.categories)}
            column = np.array([places.get(value, np.nan) for value in column])
        numbers[:, place] = column
    return numbers
