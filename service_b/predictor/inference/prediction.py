"""What a model with a card predicts: a price, and how far to trust it."""

from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


class Bounds(NamedTuple):
    """The true price lies between `lower` and `upper` in a share `coverage` of cases."""

    lower: float
    upper: float
    coverage: float


class InputWarning(NamedTuple):
    """Why a price may be less good than the interval says, and the fields that are the reason."""

    fields: tuple[str, ...]
    msg: str


class PricePrediction(NamedTuple):
    """A price in units of `currency`, with its interval if the model gives one; not rounded.

    `typical` is the share of the training rows that are as unusual as the input.
    """

    price: float
    currency: str
    interval: Bounds | None
    model: str
    model_version: str
    warnings: tuple[InputWarning, ...] = ()
    typical: float | None = None


# Exact within the service, so that nothing is rounded twice.
Money = Annotated[float, PlainSerializer(lambda amount: round(amount, 2), return_type=float)]
Share = Annotated[float, PlainSerializer(lambda share: round(share, 3), return_type=float)]


class PredictionInterval(BaseModel):
    """The true value lies between `lower` and `upper` in a share `coverage` of cases."""

    lower: Money
    upper: Money
    coverage: float


# For the documentation, as an `InputWarning` has no names in JSON.
class PredictionWarning(BaseModel):
    fields: list[str] = Field(description="those that don't go together; none if it is all of it")
    msg: str


# The same as `PricePrediction`, for hooks and for the documentation, which would show a docstring.
class Prediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    price: Money = Field(description="in units of `currency`, rounded to cents")
    currency: str
    interval: PredictionInterval | None = Field(description="null if the model gives none")
    model: str
    model_version: str
    typical: Share | None = Field(
        default=None,
        exclude_if=lambda typical: typical is None,
        description="share of the training rows that are as unusual; left out if the model "
        "doesn't say",
    )
    # In an answer they stand beside the prediction.
    warnings: tuple[InputWarning, ...] = Field(default=(), exclude=True)

    @classmethod
    def of(cls, prediction: PricePrediction) -> "Prediction":
        bounds = prediction.interval
        interval = None if bounds is None else PredictionInterval(**bounds._asdict())
        return cls(**{**prediction._asdict(), "interval": interval})
