"""Reading the input log, and forwarding again what is in it."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from gateway.input_log.reader import InputFilter, LoggedInput, LogReader
from gateway.intake.entries import OutcomeKind
from gateway.intake.log_queue import LogQueue
from gateway.intake.read_queue import ReadQueue
from gateway.intake.replay import Replay
from gateway.web.foreign_pages import refuse_foreign_pages
from gateway.web.log_json import CURSOR, read_cursor, write_cursor, write_input
from gateway.web.schemas import (
    ErrorAnswer,
    InputPage,
    InvalidInputAnswer,
    LoggedInputWithAttempts,
    ReplayAnswer,
)

# So much of an export is given to the server at once, which keeps it until the caller takes it.
_PIECE_BYTES = 64 * 1024


async def catch_up(request: Request) -> None:
    """Whoever has an answer finds it in the log, though the answer didn't wait for the log."""
    log_queue: LogQueue = request.app.state.log_queue
    await log_queue.catch_up()


router = APIRouter(
    prefix="/inputs",
    tags=["inputs"],
    dependencies=[Depends(catch_up)],
    responses={
        422: {"model": InvalidInputAnswer, "description": "A parameter is wrong"},
        503: {"model": ErrorAnswer, "description": "The log can't be used"},
    },
)


def _to_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None


def _refuse_number(text: object) -> object:
    if isinstance(text, str) and re.match(r"\d{4}-\d\d-\d\d", text):
        return text
    raise ValueError("should be a date and time such as 2026-01-01T12:00:00Z")


# pydantic would take a number of seconds too.
Time = Annotated[AwareDatetime, BeforeValidator(_refuse_number), AfterValidator(_to_utc)]


def _read_filter(
    outcome: Annotated[OutcomeKind | None, Query(description="only with this outcome")] = None,
    received_from: Annotated[
        Time | None, Query(description="only at this time or later; with an offset, such as `Z`")
    ] = None,
    received_before: Annotated[Time | None, Query(description="only before this time")] = None,
    request_id: Annotated[
        str | None, Query(description="only of this request", max_length=128, pattern="^[!-~]+$")
    ] = None,
) -> InputFilter:
    return InputFilter(outcome, received_from, received_before, request_id)


Filter = Annotated[InputFilter, Depends(_read_filter)]


@router.get("", summary="Read the log, newest first", response_model=InputPage)
async def read_inputs(
    request: Request,
    wanted: Filter,
    limit: Annotated[int, Query(ge=1, le=1000, description="most inputs in the answer")] = 50,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of the page before", pattern=CURSOR)
    ] = None,
    data: Annotated[bool, Query(description="false leaves out what was sent")] = True,
) -> Response:
    reader: LogReader = request.app.state.log_reader

    def read() -> bytes:
        after = None if cursor is None else read_cursor(cursor)
        page = reader.read_page(wanted, after, limit, with_data=data)
        rows = b",".join(map(write_input, page.rows))
        return b'{"inputs":[%b],"next_cursor":%b}' % (rows, write_cursor(page.next))

    read_queue: ReadQueue = request.app.state.read_queue
    return Response(await read_queue.read(read), media_type="application/json")


async def _count_export(request: Request) -> AsyncIterator[None]:
    read_queue: ReadQueue = request.app.state.read_queue
    with read_queue.export():  # until the caller has all of it, or has gone
        yield


@router.get(
    "/export",
    summary="Read the whole log, oldest first, as JSON lines",
    response_class=StreamingResponse,
    dependencies=[Depends(_count_export)],
    responses={
        200: {
            "description": "one input a line",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
)
async def export_inputs(request: Request, wanted: Filter) -> StreamingResponse:
    reader: LogReader = request.app.state.log_reader
    pages = map(_write_lines, reader.export(wanted))
    # A log that can't be read gets its 503 by reading the first page now.
    read_next = partial(request.app.state.read_queue.read_part, partial(next, pages, b""))
    first = await read_next()
    return StreamingResponse(_stream(first, read_next), media_type="application/x-ndjson")


# This comes before the next route, which would match its path too.
@router.post(
    "/replay",
    summary="Forward again what Service B could not answer",
    dependencies=[Depends(refuse_foreign_pages)],
    responses={403: {"model": ErrorAnswer, "description": "A page of another site called"}},
)
async def replay_inputs(
    request: Request,
    limit: Annotated[
        int, Query(ge=1, le=100_000, description="most inputs to get an answer for")
    ] = 100,
) -> ReplayAnswer:
    """The oldest inputs come first, and the models take turns. An input that fails again is passed
    over, and a model whose circuit is open is left alone. Two calls at once never forward the same
    input twice."""
    replay: Replay = request.app.state.replay
    replayed = await replay.run(limit, request.state.trace)
    return ReplayAnswer(**vars(replayed))


@router.get(
    "/{request_id}",
    summary="Read the newest input of a request",
    response_model=LoggedInputWithAttempts,
    responses={404: {"model": ErrorAnswer, "description": "The log has none"}},
)
async def read_input(
    request: Request, request_id: Annotated[str, Path(max_length=128, pattern="^[!-~]+$")]
) -> Response:
    """A batch has one request for all its inputs: `GET /inputs?request_id=` lists them."""
    reader: LogReader = request.app.state.log_reader
    read_queue: ReadQueue = request.app.state.read_queue
    row, earlier = await read_queue.read(partial(reader.read_one, request_id))
    return Response(write_input(row, earlier), media_type="application/json")


def _write_lines(rows: Sequence[LoggedInput]) -> bytes:
    return b"".join([write_input(row) + b"\n" for row in rows])


async def _stream(page: bytes, read_next: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    while page:
        for start in range(0, len(page), _PIECE_BYTES):
            yield page[start : start + _PIECE_BYTES]
        page = await read_next()
