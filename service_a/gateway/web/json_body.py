"""Reading a request's JSON body, strictly and within limits."""

from typing import Any

import jiter
from starlette.requests import ClientDisconnect, Request

from gateway.errors import (
    BodiesOverBudget,
    BodyTimeout,
    BodyTooLarge,
    InvalidInput,
    UnsupportedEncoding,
    WrongContentType,
)
from gateway.web.validation import cut_text

_DRAIN_FACTOR = 16
# Each takes some hundred bytes of memory, however few bytes of the body.
_MAX_CONTAINERS = 50_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BodyReader:
    """Reads the bodies of requests that are declared as JSON, each of `max_bytes` at most."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    async def read(self, request: Request) -> bytes:
        """Return the whole body, as it was sent, without a byte order mark before it.

        Raises:
            WrongContentType: the body doesn't say that it is JSON.
            UnsupportedEncoding: the body is compressed.
            BodyTooLarge: the body has more than the limit.
            BodyTimeout: the body didn't arrive in time.
            BodiesOverBudget: the bodies of other callers leave no room for it.
        """
        max_bytes = self._max_bytes
        # Looking up two of the request's own `headers` would take several times as long.
        headers = dict(request.scope["headers"])
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type != b"application/json" and not media_type.endswith(b"+json"):
            raise WrongContentType
        if b"content-encoding" in headers and _is_encoded(request):
            raise UnsupportedEncoding
        asks = b"expect" in headers and request.scope["http_version"] != "1.0"
        if asks and int(headers.get(b"content-length", 0)) > max_bytes:
            raise BodyTooLarge(max_bytes)  # before the caller sends what it asks about
        body = await _receive(request, max_bytes)
        return body.removeprefix(_BYTE_ORDER_MARK)

    def parse(self, body: bytes, *, allow_nan: bool = False) -> Any:
        """Parse a body as JSON per RFC 8259.

        Duplicate keys, lone surrogates, integers of more than 4,300 digits and nesting beyond
        200 levels are refused, and NaN and infinities unless `allow_nan`: each parser would read
        them differently.

        Raises:
            InvalidInput: the body isn't JSON.
        """
        if not body:
            raise InvalidInput([_problem("The body is empty, a JSON object was expected")])
        # A short body, as nearly all are, need not be looked at.
        many = len(body) > _MAX_CONTAINERS
        if many and body.count(b"{") + body.count(b"[") > _MAX_CONTAINERS:
            message = f"The body has more than {_MAX_CONTAINERS} objects and arrays"
            raise InvalidInput([_problem(message)])
        try:
            return jiter.from_json(body, allow_inf_nan=allow_nan, catch_duplicate_keys=True)
        except ValueError as error:
            # It repeats a key that is there twice.
            message = cut_text(f"The body is not valid JSON: {error}")
            raise InvalidInput([_problem(message)]) from None


def _is_encoded(request: Request) -> bool:
    lines = request.headers.getlist("content-encoding")  # they count together
    return not {each.strip().lower() for each in ",".join(lines).split(",")} <= {"", "identity"}


async def _receive(request: Request, max_bytes: int) -> bytes:
    """Return the body; if it is too large, only count its bytes.

    A caller that is still sending when the connection closes sees a broken pipe instead
    of the answer, so a body that is somewhat too large is read to its end.
    """
    chunks: list[bytes] = []
    size = 0
    more = True
    while more and size <= max_bytes * _DRAIN_FACTOR:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        # What `serving.bounded_protocol` says of a body.
        state = request.scope.get("state", ())
        if "over_budget" in state:
            raise BodiesOverBudget
        if "late" in state:
            raise BodyTimeout
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size <= max_bytes:
            chunks.append(chunk)
        else:
            chunks.clear()
            request.scope.get("state", {})["discarded"] = True
    if size > max_bytes:
        raise BodyTooLarge(max_bytes)
    return b"".join(chunks)


def _problem(message: str) -> dict[str, object]:
    return {"type": "json_invalid", "loc": ["body"], "msg": message}
