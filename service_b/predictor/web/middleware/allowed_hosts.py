"""Access by the name of the service: the host that a call is for is one of those listed."""

from collections.abc import Collection

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class AllowedHosts:
    """ASGI middleware: refuses calls for a host that isn't listed.

    Whoever owns a name may have it lead to this machine. To a browser, a page under that name
    then belongs to this service, and may call it and read its answers.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_allowed(scope):
            await self._app(scope, receive, send)
            return
        answer = JSONResponse({"detail": "The service isn't called by this name"}, 400)
        await answer(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return len(given) == 1 and _cut_port(given[0].rstrip()).lower() in self._hosts


def _cut_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and not port.strip("0123456789") else host
