"""Bodies of the gateway's requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator
from pydantic_core import PydanticCustomError

from gateway.forwarding.circuit_breaker import CircuitState
from gateway.intake.entries import OutcomeKind
from gateway.settings import MODEL_NAME
from gateway.web.district import District
from gateway.web.house import House

EXAMPLE_HOUSE: dict[str, JsonValue] = {
    "overallQual": 7,
    "grLivArea": 1710,
    "yearBuilt": 2003,
    "neighborhood": "CollgCr",
    "houseStyle": "2Story",
    "lotArea": 8450,
    "totalBsmtSf": 856,
    "fullBath": 2,
    "bedroomAbvGr": 3,
    "kitchenQual": "Gd",
    "garageCars": 2,
}
"""A house as Service B's default model takes it: four required fields and some of the rest."""

HOUSE: dict[str, JsonValue] = {
    "id": 1461,
    **EXAMPLE_HOUSE,
}
"""The same house in the public contract."""

DISTRICT: dict[str, JsonValue] = {
    "longitude": -122.23,
    "latitude": 37.88,
    "housing_median_age": 41,
    "total_rooms": 880,
    "total_bedrooms": 129,
    "population": 322,
    "households": 126,
    "median_income": 8.3252,
    "ocean_proximity": "NEAR BAY",
}
"""A district as Service B's model `california` takes it."""


class RootAnswer(BaseModel):
    service: Literal["Service A - Input Logger"] = "Service A - Input Logger"
    status: Literal["running"] = "running"


class HealthAnswer(BaseModel):
    service: Literal["Service A"] = "Service A"
    status: Literal["healthy", "unhealthy", "draining"]
    circuit_breaker: CircuitState = Field(
        description="`closed` while calls to Service B go through, `open` while they are refused"
    )


class ProcessRequest(BaseModel):
    """An input to log, and on request to forward to Service B."""

    model_config = ConfigDict(extra="forbid", strict=True)

    data: Any = Field(
        description="any JSON but null; a house as Service B takes it, if it is forwarded",
        examples=[EXAMPLE_HOUSE],
        json_schema_extra={"not": {"type": "null"}},
    )
    forward_to_model: bool = Field(default=True, description="ask Service B for a prediction")
    model: Annotated[str, Field(pattern=MODEL_NAME)] | None = Field(
        default=None, description="name of one of Service B's models; null is its default"
    )

    @field_validator("data")
    @classmethod
    def refuse_null(cls, value: Any) -> Any:
        if value is None:
            raise PydanticCustomError("null_forbidden", "Input should be any JSON but null")
        return value


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


class PredictionInterval(BaseModel):
    """Documents Service B's answer; see there."""

    lower: float
    upper: float
    coverage: float


class Prediction(BaseModel):
    """Documents Service B's answer; see there."""

    model_config = ConfigDict(protected_namespaces=())

    price: float
    currency: str
    interval: PredictionInterval | None
    model: str
    model_version: str


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


class ModelPrediction(BaseModel):
    """Service B's answer, passed on as it is."""

    model_config = ConfigDict(protected_namespaces=())

    prediction: Prediction | dict[str, Any] = Field(description="the default model's is a price")
    message: str | None = None


class ProcessAnswer(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    status: Literal["Input logged successfully"] = "Input logged successfully"
    model_prediction: ModelPrediction | None = Field(
        default=None, description="there only if the input was forwarded"
    )


class Problem(BaseModel):
    type: str
    loc: list[str | int]
    msg: str
    ctx: dict[str, Any] = Field(default={}, description="what was expected, of a category")
    input: Any = None


class InvalidInputAnswer(BaseModel):
    detail: list[Problem]


class ErrorAnswer(BaseModel):
    detail: str


class LoggedInput(BaseModel):
    """An input in the log."""

    model_config = ConfigDict(protected_namespaces=())

    number: int = Field(description="its number in the log")
    request_id: str
    received_at: datetime
    model: str | None = Field(description="null is Service B's default")
    outcome: OutcomeKind
    price: float | None
    model_version: str | None
    duration_ms: float | None = Field(description="of the latest forward")
    outcome_at: datetime | None
    data: Any = Field(description="the input as it was sent")


class Attempt(BaseModel):
    """An earlier forward of an input."""

    outcome: OutcomeKind
    outcome_at: datetime | None
    duration_ms: float | None


class LoggedInputWithAttempts(LoggedInput):
    earlier_attempts: list[Attempt] = Field(description="oldest first")


class InputPage(BaseModel):
    inputs: list[LoggedInput] = Field(description="newest first")
    next_cursor: str | None = Field(description="for the next page; null on the last one")


class ReplayAnswer(BaseModel):
    """How many inputs were forwarded again, by what became of them."""

    predicted: int
    rejected: int
    unavailable: int


class FaultInForce(BaseModel):
    """A fault, and what else its kind needs."""

    model_config = ConfigDict(extra="allow")

    kind: str
    seconds: float = Field(description="how much longer it is in force")


class FaultsAnswer(BaseModel):
    faults: list[FaultInForce]
