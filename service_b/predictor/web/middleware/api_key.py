"""Who may call: anybody, or who has the key."""

from hmac import compare_digest

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HEADER = "X-API-Key"

# For those that watch the service, and those who want to know how to call it.
OPEN_PATHS = {"/health", "/livez", "/ping", "/metrics", "/docs", "/redoc", "/openapi.json"}
_OPEN_FOLDER = "/static-offline-docs/"


class ApiKey:
    """ASGI middleware: takes only calls with the key, but for those to the open paths."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

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
        return path in OPEN_PATHS or path.startswith(_OPEN_FOLDER)

    def _has_key(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(HEADER.lower().encode(), b"")
        # In a time that doesn't tell how much of it was right.
        return compare_digest(given, self._key)
