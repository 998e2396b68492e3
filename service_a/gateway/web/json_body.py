"""Reading a request's JSON body, strictly and within limits."""

from itertools import chain
from typing import Any

import jiter
from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request

from gateway.errors import (
    BodiesOverBudget,
    BodyTimeout,
    BodyTooLarge,
    InvalidInput,
    WrongContentType,
)
from gateway.web.shared_timeout import SharedTimeout

_DRAIN_FACTOR = 16
# Each takes some hundred bytes of memory, however little of the text.
_MAX_CONTAINERS = 150_000


async def read_json(request: Request, *, max_bytes: int, body_timeout: SharedTimeout) -> Any:
    """Read and parse the body as JSON per RFC 8259.

    NaN, infinities, duplicate keys, lone surrogates, integers of more than 4,300 digits
    and nesting beyond 200 levels are refused: each parser would read them differently.

    Raises:
        WrongContentType: the body doesn't say that it is JSON.
        BodyTooLarge: the body has more than `max_bytes`.
        BodyTimeout: the body didn't arrive in time.
        BodiesOverBudget: there is no room for it beside the bodies of other callers.
        InvalidInput: the body isn't JSON.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise WrongContentType(media_type)
    try:
        body = await body_timeout.wait_for(_read(request, max_bytes))
    except TimeoutError:
        raise BodyTimeout from None
    if not body:
        raise InvalidInput([_problem("The body is empty, a JSON object was expected")])
    if body.count(b"{") + body.count(b"[") > _MAX_CONTAINERS:
        message = f"The body has more than {_MAX_CONTAINERS} objects and arrays"
        raise InvalidInput([_problem(message)])
    try:
        return _parse(body)
    except ValueError as error:
        raise InvalidInput([_problem(f"The body is not valid JSON: {error}")]) from None


async def _read(request: Request, max_bytes: int) -> bytes:
    """Return the body; of one that is too large only count the bytes.

    A caller that is still sending when the connection closes sees a broken pipe in place
    of the answer, so what is somewhat too large is read to its end.
    """
    chunks: list[bytes] = []
    size = 0
    more = True
    while more and size <= max_bytes * _DRAIN_FACTOR:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if "over_budget" in request.scope.get("state", ()):
            raise BodiesOverBudget
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size <= max_bytes:
            chunks.append(chunk)
    if size > max_bytes:
        raise BodyTooLarge(max_bytes)
    return b"".join(chunks)


def _parse(body: bytes) -> Any:
    try:
        value = jiter.from_json(body, allow_inf_nan=False)
        # In the text each key has a colon of its own; what was there twice is in the value once.
        if _count_keys(value, body.count(b"{")) == body.count(b":"):
            return value
    except ValueError:
        pass  # what is wrong first is for the parser below to say
    # There is a colon in a string, or a duplicate. Looking out for one takes twice as long.
    return jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)


def _count_keys(value: Any, objects_left: int) -> int:
    """Count the keys of all objects in a value, of which there are no more than `objects_left`.

    From level to level, and no deeper than the last object: below are only plain values.
    """
    keys = 0
    level = [value]
    while level:
        objects = [each for each in level if isinstance(each, dict)]
        keys += sum(map(len, objects))
        objects_left -= len(objects)
        if not objects_left:
            break
        arrays = [each for each in level if isinstance(each, list)]
        level = [*chain.from_iterable(each.values() for each in objects), *chain(*arrays)]
    return keys


def _problem(message: str) -> dict[str, object]:
    return {"type": "json_invalid", "loc": ["body"], "msg": message}


def write_json(value: Any, loc: list[str | int]) -> bytes:
    """Write a value that `read_json` has read, as compact JSON in UTF-8.

    Raises:
        InvalidInput: a number in it, such as 1e400, was too large to be read; `loc` is where.
    """
    text = to_json(value)
    if b"Infinity" in text:
        try:
            jiter.from_json(text, allow_inf_nan=False)  # the word may stand in a string
        except ValueError:
            message = "Input holds a number beyond the range of a 64-bit float"
            raise InvalidInput([{"type": "finite_number", "loc": loc, "msg": message}]) from None
    return text
