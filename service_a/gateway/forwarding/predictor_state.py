"""How Service B is, for those who watch."""

from typing import Any

from pydantic import BaseModel, ValidationError

from gateway.errors import PredictorUnavailable
from gateway.forwarding.side_calls import SideCalls


class _Model(BaseModel):
    name: str
    version: str | None


class _Models(BaseModel):
    models: list[_Model]


class _Faults(BaseModel):
    faults: list[dict[str, Any]] = []


def read_predictor_state(calls: SideCalls) -> dict[str, Any]:
    """Ask Service B for its health, its versions and the faults that are in force there.

    One that gives no usable answer is unreachable.
    """
    try:
        status, _ = calls.send("GET", "/health")
        models = _Models.model_validate_json(calls.send("GET", "/models")[1])
        found, body = calls.send("GET", "/faults")
        faults = _Faults.model_validate_json(body if found == 200 else b"{}")
    except (PredictorUnavailable, ValidationError):
        return {"status": "unreachable", "models": [], "faults": []}
    health = "healthy" if status == 200 else "unhealthy"
    return {"status": health, **models.model_dump(), **faults.model_dump()}
