"""How good the predictions were, beside what the models promise."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from gateway.input_log.quality import QualityFilter, QualityReader
from gateway.intake.read_queue import ReadQueue
from gateway.settings import MODEL_NAME
from gateway.web.quality_schemas import QualityAnswer
from gateway.web.routes.inputs import Time, catch_up
from gateway.web.schemas import ErrorAnswer

# Service B may take long to say what its models promise; the figures don't wait for it.
PROMISE_SECONDS = 1

router = APIRouter(tags=["quality"], dependencies=[Depends(catch_up)])


@router.get(
    "/quality",
    summary="Compare predictions with actual prices",
    responses={503: {"model": ErrorAnswer, "description": "The log can't be used"}},
)
async def read_quality(
    request: Request,
    model: Annotated[
        str | None, Query(pattern=MODEL_NAME, description="only of this model")
    ] = None,
    model_version: Annotated[
        str | None, Query(max_length=64, pattern="^[ -~]*$", description="only of this version")
    ] = None,
    received_from: Annotated[
        Time | None,
        Query(
            alias="from",
            description="only inputs received at this time or later; with an offset, such as `Z`",
        ),
    ] = None,
    received_before: Annotated[
        Time | None, Query(alias="before", description="only inputs received before this time")
    ] = None,
) -> QualityAnswer:
    """There is an entry for each version of each model that has predicted. A figure that needs
    actual prices is null as long as no input has one. Errors are relative to the actual price;
    errors and shares are fractions."""
    reader: QualityReader = request.app.state.quality_reader
    queue: ReadQueue = request.app.state.read_queue
    promises = await request.app.state.promises.look_for(PROMISE_SECONDS)
    wanted = QualityFilter(model, model_version, received_from, received_before)
    versions = await queue.read_part(partial(reader.read, wanted, promises.default_model))
    return QualityAnswer.model_validate(
        {
            "versions": [
                {
                    **each._asdict(),
                    "coverage": each.coverage and each.coverage._asdict(),
                    "promised": promises.of_versions.get((each.model, each.model_version)),
                }
                for each in versions
            ]
        }
    )
