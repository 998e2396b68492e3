"""Bodies of the gateway's requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
)
from pydantic_core import PydanticCustomError

from gateway.forwarding.circuit_breaker import CircuitState
from gateway.intake.entries import OutcomeKind
from gateway.settings import MODEL_NAME

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


class LivenessAnswer(BaseModel):
    status: Literal["alive"] = "alive"


class ProcessRequest(BaseModel):
    """An input to log, and on request to forward to Service B."""

    model_config = ConfigDict(extra="forbid", strict=True)

    data: Any = Field(
        description="any JSON but null. To be forwarded, it should be what the model takes, which "
        "Service B's own documentation shows; the example is for the model that ships",
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
    typical: float | None = Field(
        default=None,
        description="share of the training rows that are as unusual; only if the model says so",
    )


class InputWarning(BaseModel):
    """Documents Service B's answer; see there."""

    fields: list[str] = Field(description="those that don't go together; none if it is all of it")
    msg: str


class ModelPrediction(BaseModel):
    """Service B's answer, passed on as it is."""

    model_config = ConfigDict(protected_namespaces=())

    prediction: Prediction | dict[str, Any] = Field(
        description="whatever the model predicts; of those that ship, a price"
    )
    message: str | None = None
    warnings: list[InputWarning] = Field(
        default=[],
        description="where the input contradicts what holds in the model's training data, or is "
        "unlike it; left out if it doesn't",
    )


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
    interval_lower: float | None = Field(description="null if the model gave no interval")
    interval_upper: float | None
    model_version: str | None
    duration_ms: float | None = Field(description="of the latest forward")
    outcome_at: datetime | None
    actual_price: float | None = Field(description="as the latest `POST /actuals` had it")
    actual_at: datetime | None = Field(description="when that was")
    prediction: dict[str, Any] | None = Field(
        description="all of it where it isn't a price; null if it is one, or has over 16 KiB"
    )
    warnings: list[InputWarning] | None = Field(
        description="of Service B; null if there were none, or if they have over 4 KiB"
    )
    data: Any = Field(default=None, description="the input as it was sent; not with `data=false`")


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
