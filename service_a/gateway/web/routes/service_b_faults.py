"""The faults of Service B, for a page that can call only this service."""

import asyncio
from typing import Protocol

from fastapi import APIRouter, Depends, Request, Response

from gateway.web.foreign_pages import refuse_foreign_pages
from gateway.web.json_body import BodyReader
from gateway.web.routes.faults import BODY, Kind
from gateway.web.schemas import ErrorAnswer, FaultsAnswer, InvalidInputAnswer

router = APIRouter(
    prefix="/faults/service_b",
    tags=["faults"],
    dependencies=[Depends(refuse_foreign_pages)],
    responses={
        200: {"model": FaultsAnswer},
        403: {"model": ErrorAnswer, "description": "A page of another site called"},
        404: {"model": ErrorAnswer, "description": "Service B has no such fault, or none at all"},
        422: {"model": InvalidInputAnswer, "description": "The body is wrong"},
        503: {"model": ErrorAnswer, "description": "Service B is unavailable"},
    },
)


class PredictorFaults(Protocol):
    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Return the status and the body of Service B's answer, or say that there is none."""


@router.get("", summary="List the faults of Service B that are in force")
async def list_faults(request: Request) -> Response:
    return await _pass_on(request, "/faults")


@router.put("/{kind}", summary="Put a fault of Service B in force for a while", openapi_extra=BODY)
async def begin_fault(request: Request, kind: Kind) -> Response:
    reader: BodyReader = request.app.state.body_reader
    return await _pass_on(request, f"/faults/{kind}", await reader.read(request))


@router.delete("/{kind}", summary="End a fault of Service B")
async def end_fault(request: Request, kind: Kind) -> Response:
    return await _pass_on(request, f"/faults/{kind}")


@router.delete("", summary="End all faults of Service B")
async def end_faults(request: Request) -> Response:
    return await _pass_on(request, "/faults")


async def _pass_on(request: Request, path: str, body: bytes | None = None) -> Response:
    faults: PredictorFaults = request.app.state.predictor_faults
    status, answer = await asyncio.to_thread(faults.send, request.method, path, body)
    return Response(answer, status, media_type="application/json")
