"""Errors that the framework answers as text, in the form of all others."""

from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OF_THE_BODY = (b"content-type", b"content-length")


class JsonErrors:
    """ASGI middleware: an error without JSON gets it, with what it says as its `detail`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head: Message | None = None
        text = b""

        async def send_as_json(message: Message) -> None:
            nonlocal head, text
            if message["type"] == "http.response.start" and _is_bare_error(message):
                head = message
            elif head is None:
                await send(message)
            else:
                text += message.get("body", b"")
                if not message.get("more_body", False):
                    await _write_answer(head, text.decode())(scope, receive, send)

        await self._app(scope, receive, send_as_json)


def _is_bare_error(head: Message) -> bool:
    if head["status"] < 400:
        return False
    return b"json" not in dict(head["headers"]).get(b"content-type", b"")


def _write_answer(head: Message, text: str) -> JSONResponse:
    detail = text or HTTPStatus(head["status"]).phrase
    answer = JSONResponse({"detail": detail}, head["status"])
    answer.raw_headers += [each for each in head["headers"] if each[0] not in _OF_THE_BODY]
    return answer
