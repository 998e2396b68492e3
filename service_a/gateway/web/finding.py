"""The latest value of something that is slow to find out, for whoever can't wait for the next."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from gateway.errors import GatewayError

_logger = logging.getLogger(__name__)

Found = TypeVar("Found")


class Finding(Generic[Found]):
    """Looks when asked, once for all that ask meanwhile, during at most `max_share` of the time.

    Belongs to one event loop.
    """

    def __init__(
        self, look: Callable[[], Awaitable[Found]], found: Found, max_share: float = 1
    ) -> None:
        self._look = look
        self._max_share = max_share
        self._next_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self.found = found

    def look(self) -> asyncio.Task[None]:
        """Return the look that is under way, or the last one while the next isn't due."""
        if self._task is None or (self._task.done() and time.monotonic() >= self._next_at):
            self._task = asyncio.create_task(self._run())
        return self._task

    async def look_for(self, seconds: float) -> Found:
        """Look, but wait no longer than this; return what was found by then."""
        await asyncio.wait([self.look()], timeout=seconds)
        return self.found

    async def _run(self) -> None:
        began_at = time.monotonic()
        try:
            with suppress(GatewayError):  # what can't be read is as it was
                self.found = await self._look()
        except Exception:
            _logger.exception("something can't be found out")
        ended_at = time.monotonic()
        self._next_at = ended_at + (ended_at - began_at) * (1 / self._max_share - 1)
