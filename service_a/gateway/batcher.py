"""Batching by nature: what arrives while one batch is under way makes up the next one.

No timer decides when a batch is full. An idle batcher passes an item on at once, alone; a
busy one makes one call for many items, the more of them the busier it is.
"""

import asyncio
import copy
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.errors import TooBusy

Item = TypeVar("Item")
Result = TypeVar("Result")

Flush = Callable[[Sequence[Item]], Sequence[Result | Exception]]


class _Group(Generic[Result]):
    """Items that one caller waits for, together."""

    def __init__(self, size: int) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.results: dict[int, Result | Exception] = {}
        self._size = size

    def settle(self, index: int, result: Result | Exception) -> None:
        self.results[index] = result
        if len(self.results) == self._size and not self.future.done():
            self.future.set_result(None)


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    group: _Group[Result]
    index: int
    since: float


class Batcher(Generic[Item, Result]):
    """Hands items in batches to `flush`, which blocks, in a thread of its own.

    `flush` gets 1 to `max_batch` items and returns one result for each, in their order; an
    exception among the results goes to its item alone. If `flush` raises, each item of that
    batch gets a copy of the error, and the next batch is tried as if nothing had happened.
    One batch is under way at a time. Belongs to one event loop.
    """

    def __init__(
        self,
        flush: Flush[Item, Result],
        *,
        name: str,
        max_batch: int,
        max_waiting: int,
        max_wait_seconds: float = math.inf,
    ) -> None:
        self._flush = flush
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._thread = ThreadPoolExecutor(1, name)
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return the item's result. An item whose caller is cancelled while it waits is dropped.

        Raises:
            TooBusy: `max_waiting` items wait already, or this one waited `max_wait_seconds`.
            Exception: whatever `flush` has for this item.
        """
        (result,) = await self.submit_all([item])
        if isinstance(result, Exception):
            raise result
        return result

    async def submit_all(self, items: Sequence[Item]) -> list[Result | Exception]:
        """Return each item's result, in their order; the items may end up in several batches.

        Raises:
            TooBusy: `max_waiting` items wait already; none of these is taken.
        """
        if not items:
            return []
        if len(self._waiting) >= self._max_waiting:
            raise TooBusy(f"{len(self._waiting)} are waiting already")
        group: _Group[Result] = _Group(len(items))
        now = time.monotonic()
        self._waiting.extend(_Waiting(item, group, index, now) for index, item in enumerate(items))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        await group.future
        return [group.results[index] for index in range(len(items))]

    async def close(self) -> None:
        """Finish what waits and end the thread. Nothing may be submitted after."""
        if self._worker is not None:
            await self._worker
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._take():
            items = [waiting.item for waiting in batch]
            results: Sequence[Result | Exception]
            try:
                results = await loop.run_in_executor(self._thread, self._flush, items)
                if len(results) != len(items):
                    raise ValueError(f"{len(results)} results for {len(items)} items")  # noqa: TRY301
            except Exception as error:  # whatever it is, the callers must hear of it
                results = [copy.copy(error) for _ in items]
            for waiting, result in zip(batch, results, strict=True):
                waiting.group.settle(waiting.index, result)
        self._worker = None

    def _take(self) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        earliest = time.monotonic() - self._max_wait_seconds
        while self._waiting and len(batch) < self._max_batch:
            waiting = self._waiting.popleft()
            if waiting.group.future.done():  # its caller has gone
                continue
            if waiting.since < earliest:
                waiting.group.settle(waiting.index, TooBusy("waited too long for its turn"))
                continue
            batch.append(waiting)
        return batch
