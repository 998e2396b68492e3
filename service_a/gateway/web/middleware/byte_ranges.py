"""Parts of files, in the one unit that there is."""

from starlette.types import ASGIApp, Receive, Scope, Send


class ByteRanges:
    """ASGI middleware: a `Range` in another unit than bytes is ignored (RFC 9110, section 14.2).

    The framework would refuse the call.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            unit = dict(scope["headers"]).get(b"range", b"bytes=").partition(b"=")[0]
            if unit.strip().lower() != b"bytes":
                scope["headers"] = [each for each in scope["headers"] if each[0] != b"range"]
        await self._app(scope, receive, send)
