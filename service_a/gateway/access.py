"""Who may call: anybody, or who has one of the keys."""

from collections.abc import Collection
from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, Security, params
from fastapi.security import APIKeyHeader

from gateway.errors import AccessDenied

_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="One of the gateway's keys")


def require_key(keys: Collection[str] | None) -> list[params.Depends]:
    """Return what a router depends on so that it takes only calls with one of the keys."""
    if keys is None:
        return []
    known = [key.encode() for key in keys]

    async def check_key(given: Annotated[str | None, Security(_HEADER)]) -> None:
        # Every key is compared, in a time that doesn't tell how much of one was right.
        matches = [compare_digest((given or "").encode(), key) for key in known]
        if not any(matches):
            raise AccessDenied

    return [Depends(check_key)]
