"""How Service B is, for those who watch."""

from typing import Any

from pydantic import BaseModel, Field

from gateway.errors import PredictorUnavailable
from gateway.forwarding.predictor_faults import FaultList
from gateway.forwarding.side_calls import SideCalls

_HEALTH = {200: "healthy", 503: "unhealthy"}


class _Model(BaseModel):
    name: str = Field(max_length=200)
    version: str | None = Field(max_length=200)


class _Models(BaseModel):
    models: list[_Model] = Field(default=[], max_length=1000)


class _Faults(BaseModel):
    faults: FaultList = []


def read_predictor_state(calls: SideCalls, with_faults: bool) -> dict[str, Any]:
    """Ask Service B for its health, its versions and, if it may have any, its faults.

    Another model server in its place may have only a health.
    """
    try:
        health = _HEALTH.get(calls.send("GET", "/health")[0], "unreachable")
        models = calls.read(_Models, "/models")
        faults = calls.read(_Faults, "/faults") if with_faults else _Faults()
    except PredictorUnavailable:
        return {"status": "unreachable", "models": [], "faults": []}
    return {"status": health, **models.model_dump(), **faults.model_dump(exclude_none=True)}
