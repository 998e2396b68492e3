"""Which models the service hosts, and the state of each."""

from collections.abc import Mapping
from dataclasses import asdict

from fastapi import APIRouter, Depends, Request

from predictor.errors import ModelNotFound, NoChallenger
from predictor.inference.served_model import ServedModel
from predictor.shadow.difference import Difference
from predictor.shadow.shadow import Shadow
from predictor.versions.deployment import Deployment
from predictor.versions.registry import ModelRegistry
from predictor.versions.watcher import Watcher
from predictor.web.foreign_pages import refuse_foreign_pages
from predictor.web.schemas import (
    ChallengerAnswer,
    ErrorAnswer,
    LargeDifference,
    ModelAnswer,
    ModelsAnswer,
    ModelState,
)

# A source that hangs keeps the caller of /reload waiting no longer than this.
_RELOAD_SECONDS = 60

router = APIRouter(tags=["models"])


@router.get("/models", summary="List the models")
async def list_models(request: Request) -> ModelsAnswer:
    """After each model come the versions of its aliases, as `ames@challenger`."""
    return ModelsAnswer(models=_describe_all(request))


@router.get(
    "/models/{name}",
    summary="Describe a model in full",
    responses={
        404: {"model": ErrorAnswer, "description": "There is no such model"},
        503: {"model": ErrorAnswer, "description": "No version of the model is loaded"},
    },
)
async def read_model(request: Request, name: str) -> ModelAnswer:
    """After the name may come `@` and an alias, for the version that it names."""
    registry: ModelRegistry = request.app.state.registry
    model, held = registry.get(name), registry.find_name(name)
    state = next((each for each in _describe_all(request) if each.name == held), None)
    if state is None:  # retired meanwhile
        raise ModelNotFound(name, sorted(request.app.state.endpoints))
    return ModelAnswer(**state.model_dump(), card=dict(model.metadata))


@router.get(
    "/models/{name}/challenger",
    summary="Say how the version that is tried in the shadow differs",
    responses={404: {"model": ErrorAnswer, "description": "No such model, or no challenger"}},
)
async def read_challenger(request: Request, name: str) -> ChallengerAnswer:
    """Only some inputs are taken, as `challenger` in models.yaml says."""
    registry: ModelRegistry = request.app.state.registry
    shadows: Mapping[str, Shadow] = request.app.state.shadows
    held = registry.find_name(name)
    if held is None:
        raise ModelNotFound(name, registry.all_names)
    if held not in shadows:
        raise NoChallenger(name)
    entry, state = shadows[held].entry, shadows[held].describe()
    return ChallengerAnswer(
        model=held,
        alias=entry.alias,
        share=entry.share,
        status=state.status,
        version=state.version,
        challenger_version=state.challenger_version,
        **asdict(state.summary) | {"largest": [*map(_describe_difference, state.summary.largest)]},
    )


@router.post(
    "/reload",
    summary="Look for new versions now",
    dependencies=[Depends(refuse_foreign_pages)],
    responses={403: {"model": ErrorAnswer, "description": "A page of another site called"}},
)
async def reload(request: Request) -> ModelsAnswer:
    watcher: Watcher = request.app.state.watcher
    await watcher.check_now(_RELOAD_SECONDS)
    return ModelsAnswer(models=_describe_all(request))


def _describe_all(request: Request) -> list[ModelState]:
    registry: ModelRegistry = request.app.state.registry
    deployments: list[Deployment] = request.app.state.deployments
    loaded = registry.loaded
    return [
        ModelState(
            name=each.name,
            title=read_text(loaded.get(each.name), "title"),
            description=read_text(loaded.get(each.name), "description"),
            default=each.name == registry.default_name,
            status="ready" if each.name in loaded else "unavailable",
            version=loaded[each.name].version if each.name in loaded else None,
            candidate=each.candidate,
            last_error=each.public_error,
            last_check=each.last_check,
        )
        for deployment in deployments
        for each in (deployment, *deployment.aliases.values())
    ]


def _describe_difference(difference: Difference) -> LargeDifference:
    return LargeDifference(
        request_id=difference.request_id,
        price=round(difference.price, 2),
        challenger_price=round(difference.challenger_price, 2),
        difference=difference.difference,
    )


def read_text(model: ServedModel | None, key: str) -> str | None:
    """Read what a class may have left out of its metadata, or have as anything."""
    value = None if model is None else model.metadata.get(key)
    return None if value is None else str(value)
