"""Bodies of the gateway's requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.forwarding.circuit_breaker import CircuitState
from gateway.input_log.actuals import MAX_NUMBER, MAX_PRICE, MIN_PRICE
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
    status: Literal["healthy", "unhealthy"]
    circuit_breaker: CircuitState = Field(
        description="`closed` while calls to Service B go through, `open` while they are refused"
    )


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

    prediction: Prediction | dict[str, Any] = Field(
        description="whatever the model predicts; of those that ship, a price"
    )
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


class ActualPrice(BaseModel):
    """What an input turned out to be worth."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "oneOf": [
                {
                    "required": [name],
                    "properties": {name: {"type": kind}, other: {"type": "null"}},
                }
                for name, kind, other in (
                    ("number", "integer", "request_id"),
                    ("request_id", "string", "number"),
                )
            ]
        },
    )

    number: int | None = Field(
        default=None, ge=1, le=MAX_NUMBER, description="the input's number in the log"
    )
    request_id: Annotated[str, Field(max_length=128, pattern="^[!-~]+$")] | None = Field(
        default=None, description="instead of the number, if the request had one input only"
    )
    price: float = Field(
        ge=MIN_PRICE, le=MAX_PRICE, allow_inf_nan=False, description="in the model's currency"
    )

    @model_validator(mode="after")
    def refuse_both(self) -> "ActualPrice":
        if (self.number is None) == (self.request_id is None):
            raise PydanticCustomError(
                "number_or_request_id", "Either number or request_id should be given"
            )
        return self


_ACTUALS = Field(min_length=1, max_length=1000)


class Actuals(BaseModel):
    """Actual prices that are still to be checked, each by itself."""

    model_config = ConfigDict(extra="forbid")

    actuals: list[Any] = _ACTUALS


class ActualsRequest(Actuals):
    """Actual prices to record, all or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "actuals": [
                    {"number": 12, "price": 215000.0},
                    {"request_id": "my-first-trace", "price": 198500.0},
                ]
            }
        }
    )

    actuals: list[ActualPrice] = _ACTUALS


class UnknownInput(BaseModel):
    """An input that isn't in the log, by what it was called."""

    number: int | None = None
    request_id: str | None = None


class ActualsAnswer(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"recorded": 1, "unknown": [{"request_id": "no-such"}]}}
    )

    recorded: int
    unknown: list[UnknownInput] = Field(description="what was passed over")


def _round(fraction: float) -> float:
    return round(fraction, 6)


_Fraction = Annotated[float, AfterValidator(_round)]


class CoverageOfVersion(BaseModel):
    """The share of actual prices within their interval, and what it may be among all inputs."""

    value: _Fraction
    lower: _Fraction = Field(
        description="by Wilson's score interval, with 95% certainty, as `upper`"
    )
    upper: _Fraction


class Promised(BaseModel):
    """What the model's card says: errors on test data, and how often an interval should hold."""

    mape: float | None = None
    median_ape: float | None = None
    within_10_percent: float | None = None
    coverage: float | None = None


class QualityOfVersion(BaseModel):
    """How good the predictions of one version were."""

    model_config = ConfigDict(protected_namespaces=())

    model: str | None = Field(
        description="null is Service B's default, as long as Service B didn't say its name"
    )
    model_version: str | None
    predicted: int = Field(description="inputs that a price was predicted for")
    with_actual: int = Field(description="those of them whose actual price was reported")
    mape: _Fraction | None = Field(description="mean absolute error, relative to the actual price")
    median_ape: _Fraction | None = Field(description="half of the predictions are closer than this")
    bias: _Fraction | None = Field(description="mean error; above 0 the predictions are too high")
    within_10_percent: _Fraction | None = Field(description="share within 10% of the actual price")
    coverage: CoverageOfVersion | None = Field(description="null if the model gave no interval")
    promised: Promised | None = Field(
        description="null if Service B can't be asked, or doesn't serve this version now"
    )


class QualityAnswer(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "versions": [
                    {
                        "model": "ames",
                        "model_version": "1",
                        "predicted": 1200,
                        "with_actual": 300,
                        "mape": 0.0712,
                        "median_ape": 0.0497,
                        "bias": 0.0064,
                        "within_10_percent": 0.77,
                        "coverage": {"value": 0.91, "lower": 0.8723, "upper": 0.9374},
                        "promised": {
                            "mape": 0.068327,
                            "median_ape": 0.048517,
                            "within_10_percent": 0.7833,
                            "coverage": 0.9,
                        },
                    }
                ]
            }
        }
    )

    versions: list[QualityOfVersion] = Field(description="by model and version")


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
