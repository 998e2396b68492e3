"""The features of a model: described by hand, completed from the data."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from predictor.card import Feature
from training.distribution import describe_distribution

Description = dict[str, Any]

# Categories by which the data says "none of it"; a request says `null`.
_NONES = ("NA", "None")


def read_descriptions(file: Path) -> tuple[Description, ...]:
    """Read everything in a `Feature` but what the data says."""
    return tuple(json.loads(file.read_text(encoding="utf-8")))


def complete_features(
    descriptions: Sequence[Description], frame: pd.DataFrame
) -> tuple[Feature, ...]:
    """Add to each description for what `null` may be sent, if at all, and the distribution.

    It may where there is a code for none, and where the data leaves fields empty.
    """
    return tuple(Feature(**each, **_describe_values(frame, **each)) for each in descriptions)


def _describe_values(
    frame: pd.DataFrame,
    name: str,
    kind: str,
    categories: Sequence[str | int] | None = None,
    **_: object,
) -> Description:
    if kind == "identifier":
        return {}
    none = next((each for each in _NONES if each in (categories or ())), None)
    return {
        "none": none,
        "nullable": none is not None or bool(frame[name].isna().any()),
        "distribution": describe_distribution(frame[name], categories),
    }


def describe_rows(features: Sequence[Feature], frame: pd.DataFrame) -> tuple[Feature, ...]:
    """Give the features with the distribution in other rows."""
    return tuple(
        feature
        if feature.kind == "identifier"
        else feature.model_copy(
            update={"distribution": describe_distribution(frame[feature.name], feature.categories)}
        )
        for feature in features
    )


def to_request(features: Sequence[Feature], row: Mapping[Any, Any]) -> dict[str, Any]:
    """Say a prepared row as a caller would: none as null, unknown fields left out."""
    request: dict[str, Any] = {}
    for feature in features:
        value = row.get(feature.name, math.nan)
        if value == feature.none:
            request[feature.name] = None
        elif isinstance(value, float):
            if not math.isnan(value):
                request[feature.name] = int(value) if value.is_integer() else value
        else:
            request[feature.name] = value
    return request
