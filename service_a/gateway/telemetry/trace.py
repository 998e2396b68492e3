"""The trace of a request: its id, and the trace that the caller's header says it belongs to."""

import random
import re
import time
from typing import NamedTuple

from gateway.telemetry.passage import Passage

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# https://www.w3.org/TR/trace-context/: version, trace id, id of the caller's span, flags. A
# later version may have more to follow.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?"
)


class Trace(NamedTuple):
    """Ties together all that is done and logged for one request, here and in Service B."""

    request_id: str
    trace_id: str
    span_id: str
    trace_flags: str
    stages: Passage

    @property
    def traceparent(self) -> str:
        """The W3C header that continues the trace from this gateway."""
        return f"00-{self.trace_id}-{self.span_id}-{self.trace_flags}"


def read_trace(request_id: str, traceparent: str) -> Trace:
    """Read the caller's headers; an id that is missing or not sane is made anew."""
    made = f"{random.getrandbits(256):064x}"
    if not _SANE_ID.fullmatch(request_id):
        # In order of time, so that the log's index of ids grows at its end, however large it is.
        request_id = f"{time.time_ns():016x}{made[:16]}"
    match = _TRACEPARENT.fullmatch(traceparent)
    trace_id, flags = match.group(1, 2) if match else (made[16:48], "00")
    return Trace(request_id, trace_id, made[48:], flags, Passage())
