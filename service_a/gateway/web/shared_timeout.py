"""A timeout for waits that are frequent and nearly always short.

Gain: see `benchmarks/`. The plain twin is `asyncio.timeout`.
"""

import asyncio
from typing import Any, Self


class SharedTimeout:
    """As `asyncio.timeout`, but one timer serves all tasks, so that none has to set its own.

    Calling it gives what a task enters, one at a time: `async with timeout(): ...`. It belongs
    to one event loop.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: dict[asyncio.Task[Any] | None, float] = {}  # in the order in which they began
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> Self:
        return self

    async def __aenter__(self) -> None:
        self._began[asyncio.current_task()] = asyncio.get_running_loop().time()
        if self._timer is None:
            self._set_timer(self._seconds)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave it.

        Raises:
            TimeoutError: it took too long, and was cancelled.
        """
        task = asyncio.current_task()
        del self._began[task]
        if task and task in self._late:
            self._late.remove(task)
            if not task.uncancel() and kind is asyncio.CancelledError:
                raise TimeoutError

    def _set_timer(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._check)

    def _check(self) -> None:
        """Cancel the tasks that have taken too long; look again when the next one would have."""
        self._timer = None
        latest = asyncio.get_running_loop().time() - self._seconds
        for task, began in self._began.items():
            if began > latest:
                self._set_timer(began - latest)
                return
            if task and task not in self._late:
                self._late.add(task)
                task.cancel()
