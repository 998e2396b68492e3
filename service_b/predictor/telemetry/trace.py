"""The id of a request, and the trace that it is a part of, by W3C's `traceparent`."""

import re
import secrets
from typing import NamedTuple

from predictor.telemetry.stages import Stages

# A batch carries the ids of all its callers, with commas between them.
_SANE_ID = re.compile(r"[A-Za-z0-9._:,-]{1,16384}")
# https://www.w3.org/TR/trace-context/: version, trace id, id of the caller's span, flags. A
# later version may have more to follow.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


class Trace(NamedTuple):
    """What ties together all that is logged for one request, here and in Service A."""

    request_id: str
    trace_id: str
    stages: Stages


def read_trace(request_id: str, traceparent: str) -> Trace:
    """Read the caller's headers; what is missing or not sane is made anew."""
    if not _SANE_ID.fullmatch(request_id):
        request_id = secrets.token_hex(16)
    match = _TRACEPARENT.fullmatch(traceparent)
    trace_id = match[1] if match else secrets.token_hex(16)
    return Trace(request_id, trace_id, Stages())
