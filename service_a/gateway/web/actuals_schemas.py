"""Bodies of the call that takes in actual prices."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from gateway.input_log.actuals import MAX_NUMBER, MAX_PRICE, MIN_PRICE


class ActualPrice(BaseModel):
    """What an input turned out to be worth."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"oneOf": [{"required": ["number"]}, {"required": ["request_id"]}]},
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
