"""What a model with a card predicts: a price, and how far to trust it."""

from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


class Bounds(NamedTuple):
    """The true price lies between `lower` and `upper` in a share `coverage` of cases."""

    lower: float
    upper: float
    coverage: float


class PricePrediction(NamedTuple):
    """A price in units of `currency`, with its interval if the model gives one; not rounded."""

    price: float
    currency: str
    interval: Bounds | None
    model: str
    model_version: str


# Exact within the service, so that nothing is rounded twice.
Money = Annotated[float, PlainSerializer(lambda amount: round(amount, 2), return_type=float)]


class PredictionInterval(BaseModel):
    """The true value lies between `lower` and `upper` in a share `coverage` of cases."""

    lower: Money
    upper: Money
    coverage: float


# The same as `PricePrediction`, for hooks and for the documentation, which would show a docstring.
class Prediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    price: Money = Field(description="in units of `currency`, rounded to cents")
    currency: str
    interval: PredictionInterval | None = Field(description="null if the model gives none")
    model: str
    model_version: str

    @classmethod
    def of(cls, prediction: PricePrediction) -> "Prediction":
        bounds = prediction.interval
        interval = None if bounds is None else PredictionInterval(**bounds._asdict())
        return cls(**{**prediction._asdict(), "interval": interval})
