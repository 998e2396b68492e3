"""The trace that a request is a part of, by W3C's `traceparent`."""

import re
import secrets

# https://www.w3.org/TR/trace-context/: version, trace id, id of the caller's span, flags. A
# later version may have more to follow.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def find_trace(traceparent: str) -> str:
    """Return the caller's trace id, or a new one if the header is missing or not sane."""
    match = _TRACEPARENT.fullmatch(traceparent)
    return match[1] if match else secrets.token_hex(16)
