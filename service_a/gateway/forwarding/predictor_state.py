"""How Service B is, for those who watch."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.errors import PredictorUnavailable
from gateway.forwarding.side_calls import SideCalls

_HEALTH = {200: "healthy", 503: "unhealthy"}


class _Model(BaseModel):
    name: str
    version: str | None


class _Models(BaseModel):
    models: list[_Model] = []


class _Faults(BaseModel):
    faults: list[dict[str, Any]] = []


_Shape = TypeVar("_Shape", _Models, _Faults)


def read_predictor_state(calls: SideCalls, with_faults: bool) -> dict[str, Any]:
    """Ask Service B for its health, its versions and, if it may have any, its faults.

    Another model server in its place may have only a health.
    """
    try:
        health = _HEALTH.get(calls.send("GET", "/health")[0], "unreachable")
        models = _read(_Models, *calls.send("GET", "/models"))
        faults = _read(_Faults, *calls.send("GET", "/faults")) if with_faults else _Faults()
    except PredictorUnavailable:
        return {"status": "unreachable", "models": [], "faults": []}
    return {"status": health, **models.model_dump(), **faults.model_dump()}


def _read(shape: type[_Shape], status: int, body: bytes) -> _Shape:
    """Read an answer; one of another shape is as good as none."""
    try:
        return shape.model_validate_json(body if status == 200 else b"{}")
    except ValidationError:
        return shape()
