"""Access by key: every call needs the predictor's key."""

from hmac import compare_digest

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HEADER = "X-API-Key"

# For whatever watches the service, and for whoever wants to learn how to call it.
OPEN_PATHS = {"/health", "/livez", "/ping", "/metrics", "/docs", "/redoc", "/openapi.json"}
_OPEN_FOLDER = "/static-offline-docs/"


class ApiKey:
    """ASGI middleware: refuses calls without the key, except those to open paths."""

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
        given = dict(scope["headers"]).get(HEADER.lower().encode(), b"").rstrip()
        # The time it takes doesn't reveal how much of the key was right.
        return compare_digest(given, self._key)
