"""What Service B may say of its faults. Anything else is a failure of B, and nobody is shown it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import PredictorUnavailable
from gateway.forwarding.answers import Rejection
from gateway.forwarding.side_calls import SideCalls


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Fault(_Shape):
    kind: str = Field(max_length=40, pattern="^[a-z_]+$")
    seconds: float = Field(ge=0, le=300)
    # What some kinds need.
    ms: float | None = Field(default=None, ge=1, le=10_000)
    share: float | None = Field(default=None, gt=0, le=1)


FaultList = Annotated[list[_Fault], Field(max_length=100)]


class _Faults(_Shape):
    faults: FaultList


class _NoSuchFault(_Shape):
    detail: str = Field(max_length=1000)


_SHAPES: dict[int, type[BaseModel]] = {200: _Faults, 404: _NoSuchFault, 422: Rejection}


class PredictorFaults:
    """Calls Service B's routes for faults. Blocks; safe to use from many threads."""

    def __init__(self, calls: SideCalls) -> None:
        self._calls = calls

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Return the status of the answer, and its body without what has no place there.

        Raises:
            PredictorUnavailable: it is none of the answers that B may give.
        """
        status, content = self._calls.send(method, path, body)
        if status not in _SHAPES:
            raise PredictorUnavailable(f"status {status}")
        try:
            answer = _SHAPES[status].model_validate_json(content)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise PredictorUnavailable(f"wrong shape: {place}: {problem['msg']}") from error
        return status, answer.model_dump_json(exclude_unset=True).encode()
