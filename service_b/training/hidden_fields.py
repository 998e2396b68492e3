"""Descriptions of which some fields are unknown, made from whole ones."""

from collections.abc import Sequence

import numpy as np

from predictor.card import Feature
from training.encoding import Inputs


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
