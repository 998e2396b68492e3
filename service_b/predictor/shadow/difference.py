"""How far apart two versions price one input."""

import math
from typing import NamedTuple

from predictor.errors import InputRejected
from predictor.inference.served_model import Outcome


class Difference(NamedTuple):
    """Of a challenger's price from the price that was answered; larger ones sort last."""

    size: float
    """As a share of the price that was answered."""
    request_id: str
    price: float
    challenger_price: float
    within_interval: bool | None
    """Whether the challenger's price is in the interval that was answered, if there was one."""

    @property
    def difference(self) -> float:
        return self.challenger_price / self.price - 1


def find_difference(request_id: str, answered: Outcome, challenged: Outcome) -> Difference:
    """Compare two predictions for the same input.

    Raises:
        InputRejected: a hook of the challenger turns the input down.
        ValueError: one of them has no price that can be compared.
    """
    if isinstance(challenged, InputRejected):
        raise challenged
    price, other = _read_price("answer", answered), _read_price("challenger", challenged)
    bounds = getattr(answered, "interval", None)
    within = None if bounds is None else bounds.lower <= other <= bounds.upper
    return Difference(abs(other / price - 1), request_id, price, other, within)


def _read_price(part: str, prediction: Outcome) -> float:
    # A class's own output may be anything.
    price = getattr(prediction, "price", None)
    if not isinstance(price, float | int) or not 0 < price < math.inf:
        raise ValueError(f"the {part}'s price is {price}")
    return price
