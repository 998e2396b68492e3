"""What of a head decides for whom a request is and where it ends, and so has only one reading."""

import re
from collections.abc import Sequence
from functools import lru_cache

from predictor.serving.bounded_protocol import INVALID, Refused

Field = tuple[bytes, bytes]

OTHER_VERSION = "The only versions of HTTP that are read are 1.0 and 1.1"
UNKNOWN_CODING = "The only Transfer-Encoding that is read is chunked"

_HOST_ALONE = re.compile(rb"\Ahttps?://[^/?#]+(?=\?|\Z)", re.IGNORECASE)
_HOST = re.compile(
    rb"(\[[0-9A-Za-z:.%_~-]+\]|([0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(:[0-9]*)?[ \t]*"
)


def check_head(fields: Sequence[Field], version: str) -> None:
    """Look at what another server on the way might read otherwise (RFC 9112, 3.2 and 6.1).

    Raises:
        Refused: the version is another one, `Host` is missing, there twice or none, or the body has
            a coding besides chunks.
    """
    if version not in ("1.0", "1.1"):
        raise Refused(505, OTHER_VERSION)
    by_name = dict(fields)
    host = by_name.get(b"host")
    if not _is_host(host) and (host is not None or version != "1.0"):
        raise Refused(400, INVALID)
    if len(by_name) < len(fields) and sum(name == b"host" for name, _ in fields) > 1:
        raise Refused(400, INVALID)
    if b"transfer-encoding" in by_name:
        if version == "1.0" or b"content-length" in by_name:
            raise Refused(400, INVALID)
        codings = [value.strip().lower() for name, value in fields if name == b"transfer-encoding"]
        if codings != [b"chunked"]:
            raise Refused(501, UNKNOWN_CODING)


def add_path(target: bytes) -> bytes:
    """Return a target with the path that `http://host` means (RFC 9112, section 3.2.2)."""
    return _HOST_ALONE.sub(rb"\g<0>/", target, count=1)


@lru_cache(maxsize=64)
def _is_host(value: bytes | None) -> bool:
    return value is not None and _HOST.fullmatch(value) is not None
