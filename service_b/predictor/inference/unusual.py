"""What follows from how unusual an input is: a warning in words, and a wider interval."""

from collections.abc import Sequence

import numpy as np

from predictor.card import ModelCard, Typical
from predictor.inference.prediction import InputWarning
from predictor.typicality import LONELY, Typicality


def measure_factors(typical: Typical, shares: Sequence[float]) -> list[float]:
    """Give what the width of each interval is multiplied by, on the log scale."""
    knots = [each.typical for each in typical.widening]
    factors: list[float] = np.interp(
        shares, knots, [each.factor for each in typical.widening]
    ).tolist()
    return factors


def warn_of(card: ModelCard, typicality: Typicality, culprit: float, share: float) -> InputWarning:
    """Say how unusual an input is, and which of its fields are so most of all."""
    rarity = f"Only {share:.1%} of what the model has learnt from is as unusual"
    if culprit == LONELY:
        place = card.typical.place if card.typical else ()
        return InputWarning(place, f"{rarity}: it has no neighbours where it lies")
    first, second = typicality.pairs[:, int(culprit)].tolist()
    names = tuple(dict.fromkeys(card.inputs[column].name for column in (second, first)))
    words = " with ".join(name.replace("_", " ") for name in names)
    return InputWarning(names, f"{rarity}, most of all: {words}")
