"""A timeout for what is waited for often, and nearly always there."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

Result = TypeVar("Result")


class SharedTimeout:
    """As `asyncio.timeout`, but with one timer for all who wait, so that none has to set its own.

    Belongs to one event loop.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: dict[asyncio.Task[Any], float] = {}  # in the order in which they began
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def wait_for(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Return what the coroutine returns. A task waits for one at a time.

        Raises:
            TimeoutError: it took longer, and was cancelled.
        """
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._began[task] = time.monotonic()
        if self._timer is None:
            self._set_timer(self._seconds)
        try:
            return await coroutine
        except asyncio.CancelledError:
            if task in self._late and not task.uncancel():
                raise TimeoutError from None
            raise
        finally:
            del self._began[task]
            self._late.discard(task)

    def _set_timer(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._check)

    def _check(self) -> None:
        """Cancel who has waited too long; look again when the next one would have."""
        self._timer = None
        latest = time.monotonic() - self._seconds
        for task, began in self._began.items():
            if began > latest:
                self._set_timer(began - latest)
                return
            if task not in self._late:
                self._late.add(task)
                task.cancel()
