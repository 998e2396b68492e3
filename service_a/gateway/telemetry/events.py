"""Server-sent events for those who watch what the gateway does."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic_core import to_json

from gateway.errors import TooManyWatchers

MAX_WATCHERS = 20
MAX_QUEUED = 500
_KEEP_ALIVE_SECONDS = 15
# What comes within this time is sent in one piece: each by itself would take a system call.
_PAUSE_SECONDS = 0.05


class Watcher:
    """One who watches, with a queue that drops its oldest event when it is full."""

    def __init__(self) -> None:
        self._events: deque[bytes] = deque(maxlen=MAX_QUEUED)
        self._newest = 0
        self._dropped = 0
        self._ended = False
        self._ready = asyncio.Event()

    def put(self, number: int, event: bytes) -> None:
        self._dropped += len(self._events) == MAX_QUEUED
        self._newest = number
        self._events.append(event)
        self._ready.set()

    def end(self) -> None:
        self._ended = True
        self._ready.set()

    async def read(self) -> AsyncIterator[bytes]:
        """Yield what comes, until the service stops."""
        while True:
            try:
                async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                    await self._ready.wait()
            except TimeoutError:
                yield KEEPALIVE_COMMENT
                continue
            yield self._take()
            if self._ended:
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    def _take(self) -> bytes:
        """Take all that is there; what was dropped would have come before it."""
        self._ready.clear()
        taken = b"".join(self._events)
        if self._dropped:
            number = self._newest - len(self._events)
            taken = _write("dropped", {"dropped": self._dropped}, number) + taken
            self._dropped = 0
        self._events.clear()
        return taken


class Watchers:
    """All who watch. It is false while nobody does: then no event need be made.

    Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched = asyncio.Event()
        self._number = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._watchers)

    def join(self) -> Watcher:
        """Add one who watches from now on.

        Raises:
            TooManyWatchers: as many as may watch do so already.
        """
        if self._closed or len(self._watchers) >= MAX_WATCHERS:
            raise TooManyWatchers
        self._loop = asyncio.get_running_loop()
        watcher = Watcher()
        self._watchers.add(watcher)
        self._watched.set()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
        if not self._watchers:
            self._watched.clear()

    async def wait(self) -> None:
        """Return as soon as somebody watches."""
        await self._watched.wait()

    def publish(self, event: str, data: Mapping[str, object]) -> None:
        self._number += 1
        written = _write(event, data, self._number)
        for watcher in self._watchers:
            watcher.put(self._number, written)

    def publish_from_thread(self, event: str, data: Mapping[str, object]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.publish, event, data)

    def close(self) -> None:
        """End every watcher's stream, because the service stops."""
        self._closed = True
        for watcher in self._watchers:
            watcher.end()


def _write(event: str, data: Mapping[str, object], number: int) -> bytes:
    return format_sse_event(event=event, data_str=to_json(data).decode(), id=str(number))
