"""`HEAD`, wherever there is `GET`."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """ASGI middleware: answers `HEAD` with the status and the headers of `GET`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                # The body needn't be waited for: it may begin late, and go on and on.
                await send({"type": "http.response.body"})

        # The server has the scope too, and sends no body because of its method.
        get = {**scope, "method": "GET"}
        try:
            await self._app(get, receive, send_head)
        finally:
            if "route" in get:
                scope["route"] = get["route"]
