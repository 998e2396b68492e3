"""Calls of an application in one event loop, so that an answer can be read while it goes on."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message


class AsgiCall:
    """One call, which is under way until its answer ends or the caller leaves."""

    def __init__(
        self,
        app: ASGIApp,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        given = {"content-type": "application/json", **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._body: list[Message] = [{"type": "http.request", "body": body}]
        self._gone = asyncio.Event()
        self._task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        await app(scope, self._receive, self._messages.put)

    async def _receive(self) -> Message:
        if self._body:
            return self._body.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def read_head(self) -> tuple[int, dict[str, str]]:
        message = await asyncio.wait_for(self._messages.get(), 10)
        headers = {name.decode(): value.decode() for name, value in message["headers"]}
        return message["status"], headers

    async def read(self) -> str:
        """Return the next piece of the body."""
        message = await asyncio.wait_for(self._messages.get(), 10)
        piece: bytes = message["body"]
        return piece.decode()

    async def leave(self) -> None:
        self._gone.set()
        await self.end()

    async def end(self) -> None:
        """Wait until the application has done with the call."""
        await asyncio.wait_for(self._task, 10)
