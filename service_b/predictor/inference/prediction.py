"""What a model with a card predicts: a price, and how far to trust it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

# Exact within the service, so that nothing is rounded twice.
Money = Annotated[float, PlainSerializer(lambda amount: round(amount, 2), return_type=float)]


class PredictionInterval(BaseModel):
    """The true value lies between `lower` and `upper` in a share `coverage` of cases."""

    lower: Money
    upper: Money
    coverage: float


class Prediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    price: Money = Field(description="in units of `currency`, rounded to cents")
    currency: str
    interval: PredictionInterval | None = Field(description="null if the model gives none")
    model: str
    model_version: str
