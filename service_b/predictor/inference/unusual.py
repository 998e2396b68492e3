"""What follows from how unusual an input is: a warning in words, and a wider interval."""

import math

import numpy as np

from predictor.card import ModelCard, Typical
from predictor.inference.pipelines import Numbers
from predictor.inference.prediction import InputWarning
from predictor.typicality import LONELY, Typicality


class Unusual:
    """Says what a model's shares and culprits mean, see `Typicality`."""

    def __init__(self, card: ModelCard, typical: Typical, typicality: Typicality) -> None:
        self._names = [each.name for each in card.inputs]
        self._place = typical.place
        self._pairs = typicality.pairs.T.tolist()
        self._knots = np.array([each.typical for each in typical.widening])
        self._factors = np.array([each.factor for each in typical.widening])

    def measure_factors(self, shares: Numbers) -> list[float]:
        """Give what the width of each interval is multiplied by, on the log scale."""
        factors: list[float] = np.interp(shares, self._knots, self._factors).tolist()
        return factors

    def warn(self, culprit: int, share: float) -> InputWarning:
        """Say how unusual an input is, and which of its fields are so most of all."""
        share = math.ceil(1000 * share) / 1000
        rarity = f"At most {share:.1%} of the rows that the model learnt from are as unusual"
        if culprit == LONELY:
            return InputWarning(self._place, f"{rarity}: it has no neighbours where it lies")
        first, second = self._pairs[culprit]
        names = tuple(dict.fromkeys((self._names[second], self._names[first])))
        words = " with ".join(name.replace("_", " ") for name in names)
        return InputWarning(names, f"{rarity}, most of all: {words}")
