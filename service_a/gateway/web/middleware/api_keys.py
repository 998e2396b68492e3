"""Access by key: every call needs one of the gateway's keys."""

from collections.abc import Collection
from hmac import compare_digest

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HEADER = "X-API-Key"

# For whatever watches the gateway, and for whoever wants to learn how to call it.
OPEN_PATHS = {"/health", "/livez", "/metrics", "/docs", "/redoc", "/openapi.json", "/lab"}
_OPEN_FOLDERS = ("/static-offline-docs/", "/lab/")
# The events are what the page shows, not a part of it, so they need a key. Their route also takes a
# path that ends in a line break.
_EVENTS = "/lab/events"


class ApiKeys:
    """ASGI middleware: refuses calls without one of the keys, except those to open paths."""

    def __init__(self, app: ASGIApp, keys: Collection[str]) -> None:
        self._app = app
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_open(scope["path"]) or self._has_key(scope):
            await self._app(scope, receive, send)
            return
        answer = JSONResponse(
            {"detail": f"A valid {HEADER} is required"},
            status_code=401,
            headers={"WWW-Authenticate": "APIKey"},
        )
        await answer(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in OPEN_PATHS or (path.startswith(_OPEN_FOLDERS) and path.rstrip() != _EVENTS)

    def _has_key(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(HEADER.lower().encode(), b"").rstrip()
        # Every key is compared, and the time it takes doesn't reveal how much of one was right.
        matches = [compare_digest(given, key) for key in self._keys]
        return any(matches)
