"""A market that moves: real sales that a model hasn't seen, at other prices, in other houses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from predictor.card import Feature
from training.errors import TrainingError
from training.evaluation import split_rows
from training.features import to_request
from training.preparation import Prepared


@dataclass(frozen=True)
class Market:
    """How the market has changed since the sales of the data.

    With `inflation` 0.12 everything is sold for 12% more. `shifts` says for some features by how
    many of their standard deviations all values are larger; the prices don't follow.
    """

    model: str
    seed: int
    inflation: float
    shifts: Mapping[str, float]

    def name_request(self, row: int) -> str:
        """Give the request id of a row's sale: the same in each call that means the same sale."""
        changes = f"{self.inflation!r} {sorted(self.shifts.items())!r}"
        return f"market-{self.model}-{self.seed}-{sha256(changes.encode()).hexdigest()[:8]}-{row}"


@dataclass(frozen=True)
class Sale:
    """A house as a caller describes it, and what was paid for it."""

    request_id: str
    house: Mapping[str, Any]
    price: float


def draw_sales(
    market: Market, prepared: Prepared, features: Sequence[Feature], rows: int, skip: int
) -> list[Sale]:
    """Give `rows` of the sales that are held out, in an order drawn with the seed, after `skip`.

    Raises:
        TrainingError: there aren't so many, or a shifted feature is none that can be shifted.
    """
    _, unseen = split_rows(len(prepared.target))
    if skip + rows > len(unseen):
        raise TrainingError(f"{len(unseen):,} sales are held out, not {skip + rows:,}")
    order = np.random.default_rng(market.seed).permutation(unseen)
    chosen = prepared.frame.iloc[order[skip : skip + rows]].copy()
    numbers = {each.name: each for each in features if each.kind in ("number", "integer")}
    for name, deviations in market.shifts.items():
        if name not in numbers:
            raise TrainingError(f"{name} can't be shifted; what can: {', '.join(numbers)}")
        shifted = chosen[name] + deviations * prepared.frame[name].std()
        if numbers[name].kind == "integer":
            shifted = shifted.round()
        chosen[name] = shifted.clip(numbers[name].minimum, numbers[name].maximum)
    return [
        Sale(
            market.name_request(int(row)),
            to_request(features, house),
            round(float(prepared.target[row]) * (1 + market.inflation), 2),
        )
        for row, house in zip(chosen.index, chosen.to_dict("records"), strict=True)
    ]
