"""The most that a Python service can do: it takes the same requests and gives them back."""

from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send


class Input(BaseModel):
    data: dict[str, Any]
    forward_to_model: bool = True


fast = FastAPI()


@fast.get("/health")
async def read_health() -> dict[str, str]:
    return {"status": "healthy"}


@fast.post("/echo")
async def echo(request: Request) -> Response:
    body = await request.body()
    Input.model_validate_json(body)
    return Response(body, media_type="application/json")


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI without a framework; answers every path."""
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
