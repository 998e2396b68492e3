"""Bodies of the predictor's fixed requests and answers. A model's card describes its inputs."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

MAX_BATCH = 1000


class RootAnswer(BaseModel):
    service: Literal["Service B - ML Prediction"] = "Service B - ML Prediction"
    status: Literal["running"] = "running"


class HealthAnswer(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    service: Literal["Service B"] = "Service B"
    status: Literal["healthy", "unhealthy", "draining"]
    model: str = Field(description="name of the default model")
    model_version: str | None = Field(description="the version that answers, null when none does")


class UnhealthyAnswer(HealthAnswer):
    status: Literal["healthy", "unhealthy", "draining"] = "unhealthy"
    model_version: str | None = None
    reason: str | None = Field(
        default=None, description="why there is no version; null while it is being looked for"
    )
    may_come: bool = Field(
        default=True,
        description="one may still come by itself: it is being looked for, or a server that has it "
        "can't be reached now",
    )


class ModelState(BaseModel):
    """What is served of a model, and what came of the last look for a new version."""

    name: str
    title: str | None = Field(description="null while no version is loaded, as `description`")
    description: str | None
    default: bool = Field(description="served by /predict")
    status: Literal["ready", "unavailable"]
    version: str | None = Field(description="the version that answers, null when none does")
    candidate: str | None = Field(description="a version that was found and is not served")
    last_error: str | None = Field(description="why not, or why a source could not be used")
    last_check: datetime | None


class ModelsAnswer(BaseModel):
    models: list[ModelState]


class ModelAnswer(ModelState):
    card: dict[str, Any] = Field(description="all that is known of the version that answers")


class LargeDifference(BaseModel):
    request_id: str
    price: float = Field(description="that was answered")
    challenger_price: float
    difference: float = Field(description="as a share of the price that was answered")


class ChallengerAnswer(BaseModel):
    """What was found of the versions that serve and are tried now; it begins anew with each."""

    model: str
    alias: str = Field(description="names the version that is tried")
    status: Literal["comparing", "no_version", "same_version", "hangs"] = Field(
        description="why nothing is compared: the alias names no version, or the one that answers,"
        " or one that took too long"
    )
    version: str | None = Field(description="the version that answers, null when none does")
    challenger_version: str | None = Field(description="the version that is tried")
    share: float = Field(description="of the inputs that are taken")
    since: datetime | None
    compared: int
    failed: int = Field(description="inputs for which the challenger gave no price")
    dropped: int = Field(description="inputs that it was not asked about, under load for example")
    within_interval: float | None = Field(
        description="share of its prices that lie within the interval that was answered"
    )
    mean_difference: float | None = Field(
        description="of the sizes, as shares of the price that was answered; as the median and the"
        " 90th percentile it is that of the latest 10,000"
    )
    median_difference: float | None
    p90_difference: float | None
    largest: list[LargeDifference]


class LivenessAnswer(BaseModel):
    status: Literal["alive"] = "alive"


class Problem(BaseModel):
    type: str
    loc: list[str | int]
    msg: str
    ctx: dict[str, Any] = Field(default={}, description="what was expected, of a category")
    input: Any = None


class ScoringError(BaseModel):
    """An error as MLflow's clients expect it; `detail` is the same as in all other answers."""

    error_code: str
    message: str
    detail: str | list[Problem]


class ScoringAnswer(BaseModel):
    predictions: list[Any] = Field(
        description="one for each row, in order, as the model gives it; the examples are rounded"
    )


class InvalidInputAnswer(BaseModel):
    detail: list[Problem]


class ErrorAnswer(BaseModel):
    detail: str


Input = TypeVar("Input")


class PredictRequest(BaseModel, Generic[Input]):
    """A request. With `Any` its input isn't checked yet: only a model's type can do that."""

    model_config = ConfigDict(extra="forbid")

    input: Input

    def list_inputs(self) -> list[Input]:
        return [self.input]


class BatchRequest(BaseModel, Generic[Input]):
    """A batch. With `Any` its inputs aren't checked yet; each is checked on its own."""

    model_config = ConfigDict(extra="forbid")

    inputs: list[Input] = Field(min_length=1, max_length=MAX_BATCH)

    def list_inputs(self) -> list[Input]:
        return self.inputs


class FaultInForce(BaseModel):
    """A fault, and what else its kind needs."""

    model_config = ConfigDict(extra="allow")

    kind: str
    seconds: float = Field(description="how much longer it is in force")


class FaultsAnswer(BaseModel):
    faults: list[FaultInForce]
