"""What the calls that predict nothing really answer, for the OpenAPI document."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from predictor.errors import ModelNotFound, NoChallenger
from predictor.inference.served_model import ServedModel
from predictor.shadow.findings import Summary
from predictor.versions.manifest import ChallengerEntry
from predictor.web.examples import UNAVAILABLE, Json, Named
from predictor.web.routes.models import read_text
from predictor.web.schemas import (
    ChallengerAnswer,
    HealthAnswer,
    LivenessAnswer,
    ModelsAnswer,
    ModelState,
    RootAnswer,
    UnhealthyAnswer,
)

_CHECKED_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
_ABSENT = "no-such-model"


def describe_states(models: Sequence[ServedModel], known: Sequence[str]) -> dict[str, Json]:
    """Give examples by path, status and name; of the models, the first is the default."""
    default, states = models[0], [_describe_state(each, models[0]) for each in models]
    name, version = default.name, default.version
    everything = _write(ModelsAnswer(models=states))
    absent = {"detail": str(ModelNotFound(_ABSENT, known))}
    missing = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": absent["detail"], **absent}
    healthy = HealthAnswer(status="healthy", model=name, model_version=version)
    counted = f'predictor_predictions_total{{model="{name}",version="{version}"}} 1.0\n'
    return {
        "/": {"200": {"anybody": _write(RootAnswer())}},
        "/health": {
            "200": {"healthy": _write(healthy)},
            "503": {"no model": _write(UnhealthyAnswer(model=name))},
        },
        "/livez": {"200": {"alive": _write(LivenessAnswer())}},
        "/metrics": {"200": {"one of them": counted}},
        "/ping": {"503": {"no model": UNAVAILABLE}},
        "/models": {"200": {"all": everything}},
        "/reload": {"200": {"all": everything}},
        "/models/{name}": {
            "200": {"shortened: one of each list": _write(states[0]) | {"card": _shorten(default)}},
            "404": {"no such model": absent},
            "503": {"no model": UNAVAILABLE},
        },
        "/models/{name}/challenger": {
            "200": {"none is tried yet": _write(_describe_challenger(default))},
            "404": {
                "no such model": absent,
                "no challenger": {"detail": str(NoChallenger(name))},
            },
        },
        "/invocations": {"404": {"no such model": missing}},
    }


def refuse_parameter(known: Sequence[str]) -> Named:
    """Give an example of what a call answers that has other parameters than those known."""
    problem = {
        "type": "extra_forbidden",
        "loc": ["query", "verbose"],
        "msg": f"Unknown parameter. The call takes {', '.join(known) or 'none'}",
        "input": "1",
    }
    return {"unknown parameter": {"detail": [problem]}}


def _describe_state(model: ServedModel, default: ServedModel) -> ModelState:
    return ModelState(
        name=model.name,
        title=read_text(model, "title"),
        description=read_text(model, "description"),
        default=model is default,
        status="ready",
        version=model.version,
        candidate=None,
        last_error=None,
        last_check=_CHECKED_AT,
    )


def _describe_challenger(model: ServedModel) -> ChallengerAnswer:
    entry = ChallengerEntry(share=0.2)
    return ChallengerAnswer(
        model=model.name,
        alias=entry.alias,
        share=entry.share,
        status="no_version",
        version=model.version,
        challenger_version=None,
        **vars(Summary()) | {"largest": []},
    )


def _shorten(model: ServedModel) -> Json:
    card: Mapping[str, Any] = to_jsonable_python(model.metadata, inf_nan_mode="strings")
    return {name: each[:1] if isinstance(each, list) else each for name, each in card.items()}


def _write(answer: BaseModel) -> Json:
    written: Json = answer.model_dump(mode="json")
    return written
