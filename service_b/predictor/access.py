"""Who may call: anybody, or who has the key."""

from hmac import compare_digest
from typing import Annotated, Any

from fastapi import Depends, Security, params
from fastapi.security import APIKeyHeader

from predictor.errors import AccessDenied
from predictor.schemas import ErrorAnswer

DENIAL: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorAnswer, "description": "The key is missing or wrong"}
}

_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The predictor's key")


def require_key(key: str | None) -> list[params.Depends]:
    """Return what a router depends on so that it takes only calls with the key."""
    if key is None:
        return []
    expected = key.encode()

    async def check_key(given: Annotated[str | None, Security(_HEADER)]) -> None:
        # In a time that doesn't tell how much of it was right.
        if not compare_digest((given or "").encode(), expected):
            raise AccessDenied

    return [Depends(check_key)]
