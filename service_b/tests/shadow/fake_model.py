"""A model for the tests of the shadow."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from predictor.inference.prediction import Bounds, PricePrediction
from predictor.inference.served_model import Outcome


class Number(BaseModel):
    value: float


class FakeModel:
    """Prices a number at `factor` times its value, or does what it is told to do instead."""

    name = "fake"
    input_type: type[BaseModel] = Number
    prediction_type = Number
    metadata: dict[str, Any] = {}  # noqa: RUF012
    example: dict[str, Any] = {"value": 1}  # noqa: RUF012
    columns: dict[str, str] = {"value": "value"}  # noqa: RUF012
    quick_batch = 100

    def __init__(
        self, version: str, factor: float = 1, then: Callable[[float], Outcome | None] | None = None
    ) -> None:
        self.version = version
        self.factor = factor
        self.then = then
        self.threads: set[int] = set()

    def predict(self, inputs: Sequence[BaseModel]) -> list[Outcome]:
        self.threads.add(threading.get_ident())
        return [self._price(each) for each in inputs]

    def _price(self, values: BaseModel) -> Outcome:
        price = self.factor * values.model_dump()["value"]
        other = self.then(price) if self.then else None
        bounds = Bounds(price / 1.1, price * 1.1, 0.9)
        return other or PricePrediction(price, "USD", bounds, self.name, self.version)
