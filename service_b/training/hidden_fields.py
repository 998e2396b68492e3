"""Descriptions of which some fields are unknown, made from whole ones."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from predictor.card import Feature

Inputs = npt.NDArray[np.object_]


def hide_fields(features: Sequence[Feature], inputs: Inputs, random: np.random.Generator) -> Inputs:
    """Copy the rows with optional fields unknown: in each row another share, from none to all."""
    optional = np.array([not feature.required for feature in features])
    share = random.uniform(size=(len(inputs), 1))
    hidden = (random.uniform(size=inputs.shape) < share) & optional
    return np.where(hidden, np.nan, inputs)


def keep_required(features: Sequence[Feature], inputs: Inputs) -> Inputs:
    """Copy the rows with nothing known but the required fields."""
    required = np.array([feature.required for feature in features])
    return np.where(required, inputs, np.nan)


def keep_some(
    features: Sequence[Feature], inputs: Inputs, share: float, random: np.random.Generator
) -> Inputs:
    """Copy the rows with each optional field known with a chance of `share`.

    With the same `random`, a larger share only adds known fields to those of a smaller one.
    """
    required = np.array([feature.required for feature in features])
    known = random.uniform(size=inputs.shape) < share
    return np.where(known | required, inputs, np.nan)
