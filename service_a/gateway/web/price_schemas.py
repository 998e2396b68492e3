"""Bodies of the public contracts: houses and districts in, prices out."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.web.district import District
from gateway.web.house import House
from gateway.web.schemas import DISTRICT, HOUSE, PredictionInterval

_HOUSES = Field(min_length=1, max_length=1000)


class PriceBatch(BaseModel):
    """A batch whose houses are still to be checked, each by itself."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"data": [HOUSE]}})

    data: list[Any] = _HOUSES


class PriceBatchRequest(PriceBatch):
    """Houses to price, all or none."""

    data: list[House] = _HOUSES


class PriceAnswer(BaseModel):
    id: int = Field(description="the house's own")
    predictedPrice: float = Field(description="in US dollars")  # noqa: N815 - the public name


class PriceBatchAnswer(BaseModel):
    predictions: list[PriceAnswer] = Field(description="in the order of the houses")


_INSTANCES = Field(min_length=1, max_length=100)


class Instances(BaseModel):
    """Inputs of one of Service B's models, which is to check them."""

    model_config = ConfigDict(extra="forbid")

    instances: list[Any] = _INSTANCES


class InstancesRequest(Instances):
    """Districts whose values are to be predicted, all or none."""

    model_config = ConfigDict(json_schema_extra={"example": {"instances": [DISTRICT]}})

    instances: list[District] = _INSTANCES


class PredictedPrice(BaseModel):
    """One of Service B's predictions, by the names of the public contract."""

    predicted_price: float = Field(
        validation_alias="price",
        description="in the currency of the model, US dollars for a district",
    )
    confidence_interval: PredictionInterval | None = Field(
        default=None,
        validation_alias="interval",
        description="the true value lies in it in a share `coverage` of cases; "
        "null if the model gives none",
    )


class InstancesAnswer(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    predictions: list[PredictedPrice] = Field(description="in the order of the instances")
    model_version: str | None = Field(
        description="the version that predicted; two, as `1, 2`, if it was replaced meanwhile"
    )
