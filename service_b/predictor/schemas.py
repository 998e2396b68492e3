"""Bodies of the predictor's fixed requests and answers. Inputs come from the model's card."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_BATCH = 1000


class RootAnswer(BaseModel):
    service: Literal["Service B - ML Prediction"] = "Service B - ML Prediction"
    status: Literal["running"] = "running"


class HealthAnswer(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    service: Literal["Service B"] = "Service B"
    status: Literal["healthy", "unhealthy"]
    model: str = Field(description="name of the default model")
    model_version: str | None = Field(description="the version that answers, null when none does")


class LivenessAnswer(BaseModel):
    status: Literal["alive"] = "alive"


class PredictionInterval(BaseModel):
    """The true value lies between `lower` and `upper` in a share `coverage` of cases."""

    lower: float
    upper: float
    coverage: float


class Prediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    price: float = Field(description="in units of `currency`, rounded to cents")
    currency: str
    interval: PredictionInterval | None = Field(description="null if the model gives none")
    model: str
    model_version: str


class PredictAnswer(BaseModel):
    prediction: Prediction
    message: str


class Problem(BaseModel):
    type: str
    loc: list[str | int]
    msg: str
    input: Any = None


class InvalidInputAnswer(BaseModel):
    detail: list[Problem]


class ErrorAnswer(BaseModel):
    detail: str


class BatchError(BaseModel):
    error: InvalidInputAnswer


class BatchAnswer(BaseModel):
    results: list[PredictAnswer | BatchError] = Field(
        description="one for each input, in the order of the inputs"
    )


class PredictRequest(BaseModel):
    """A request before its input is looked at, which only a model's own schema can."""

    model_config = ConfigDict(extra="forbid")

    input: Any


class BatchRequest(BaseModel):
    """A batch before its inputs are looked at, each on its own."""

    model_config = ConfigDict(extra="forbid")

    inputs: list[Any] = Field(min_length=1, max_length=MAX_BATCH)
