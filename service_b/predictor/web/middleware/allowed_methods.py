"""The `Allow` of a 405: every method that the path takes."""

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class AllowedMethods:
    """ASGI middleware: a 405 names the methods of all routes that match the path.

    The framework names those of the first one only.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = {"type": "http", "root_path": "", "headers": []}  # the framework changes its scope
        asked |= {name: scope[name] for name in ("method", "path", "root_path") if name in scope}

        async def send_naming(message: Message) -> None:
            # An application that is mounted takes every method, and says itself which it allows.
            if message.get("status") == 405 and not self._takes(asked):
                others = [each for each in message["headers"] if each[0] != b"allow"]
                message["headers"] = [*others, (b"allow", self._list_methods(asked))]
            await send(message)

        await self._app(scope, receive, send_naming)

    def _list_methods(self, asked: dict[str, Any]) -> bytes:
        methods = [method for method in _METHODS if self._takes({**asked, "method": method})]
        if "GET" in methods:  # as `HeadRequests` has it
            methods.insert(1, "HEAD")
        return ", ".join(methods).encode()

    def _takes(self, asked: dict[str, Any]) -> bool:
        return any(route.matches(asked)[0] is Match.FULL for route in self._routes)
