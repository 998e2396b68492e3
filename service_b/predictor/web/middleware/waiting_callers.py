"""Notes which calls have arrived in full and aren't answered."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from predictor.shadow.calls_under_way import CallsUnderWay


class WaitingCallers:
    """ASGI middleware: a call is under way from the end of its body to the end of its answer.

    A caller that is slow to send waits for nobody.
    """

    def __init__(self, app: ASGIApp, calls: CallsUnderWay) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def receive_and_begin() -> Message:
            nonlocal begun
            message = await receive()
            if not begun and message["type"] == "http.request" and not message.get("more_body"):
                begun = True
                self._calls.begin()
            return message

        try:
            await self._app(scope, receive_and_begin, send)
        finally:
            if begun:
                self._calls.end()
