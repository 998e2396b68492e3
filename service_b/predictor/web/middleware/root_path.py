"""The path under which a proxy has the service, in front of the service's own paths."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send


class WithoutRootPath:
    """ASGI middleware: within it, every path is one of the service's own.

    A proxy may leave the root path in front of a call's path or take it off; both are right.
    """

    def __init__(self, app: ASGIApp, root_path: str, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._root_path = root_path
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            rest = scope["path"].removeprefix(self._root_path)
            # A path of our own may begin as the root path does: `/api/v1/...` below `/api`.
            if rest.startswith("/") and self._has_route(rest):
                scope["path"] = rest
            scope["root_path"] = self._root_path
        await self._app(scope, receive, send)

    def _has_route(self, path: str) -> bool:
        scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
        return any(route.matches(scope)[0] is not Match.NONE for route in self._routes)


class WithRootPath:
    """ASGI middleware: within it, every path has the root path in front, as frameworks want it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        scope["path"] = scope["root_path"] + path
        try:
            await self._app(scope, receive, send)
        finally:
            scope["path"] = path
