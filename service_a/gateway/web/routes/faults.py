"""Faults for teaching. The routes are there only if `LAB_FAULTS` asks for them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from gateway.faults import Faults
from gateway.web.foreign_pages import refuse_foreign_pages
from gateway.web.json_body import BodyReader
from gateway.web.schemas import ErrorAnswer, FaultsAnswer, InvalidInputAnswer
from gateway.web.validation import check

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["seconds"],
                    "properties": {
                        "seconds": {"type": "number", "minimum": 1, "maximum": 300},
                        "ms": {"type": "number", "minimum": 1, "maximum": 10000},
                        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                    },
                },
                "example": {"seconds": 30},
            }
        },
    }
}
Kind = Annotated[str, Path(max_length=40, pattern="^[a-z_]+$")]

router = APIRouter(
    prefix="/faults",
    tags=["faults"],
    dependencies=[Depends(refuse_foreign_pages)],
    responses={
        403: {"model": ErrorAnswer, "description": "A page of another site called"},
        404: {"model": ErrorAnswer, "description": "There is no such fault"},
        422: {"model": InvalidInputAnswer, "description": "The body is wrong"},
    },
)


@router.get("", summary="List the faults that are in force")
async def list_faults(request: Request) -> FaultsAnswer:
    return _describe(request)


@router.put("/{kind}", summary="Put a fault in force for a while", openapi_extra=BODY)
async def begin_fault(request: Request, kind: Kind) -> FaultsAnswer:
    """Every kind needs `seconds`; those that slow something down need `ms`, and `error` `share`."""
    faults: Faults = request.app.state.faults
    reader: BodyReader = request.app.state.body_reader
    needed = faults.find_kind(kind)
    content = reader.parse(await reader.read(request))
    faults.begin(kind, check(needed, content, ["body"]))
    return _describe(request)


@router.delete("/{kind}", summary="End a fault")
async def end_fault(request: Request, kind: Kind) -> FaultsAnswer:
    faults: Faults = request.app.state.faults
    faults.find_kind(kind)
    faults.end(kind)
    return _describe(request)


@router.delete("", summary="End all faults")
async def end_faults(request: Request) -> FaultsAnswer:
    faults: Faults = request.app.state.faults
    faults.end_all()
    return _describe(request)


def _describe(request: Request) -> FaultsAnswer:
    faults: Faults = request.app.state.faults
    return FaultsAnswer.model_validate({"faults": faults.describe()})
