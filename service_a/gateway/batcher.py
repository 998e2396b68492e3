"""Batching by nature: what arrives while one batch is under way makes up the next one.

No timer decides when a batch is full. An idle batcher passes an item on at once, alone; a
busy one makes one call for many items, the more of them the busier it is.
"""

import asyncio
import copy
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from gateway.errors import TooBusy

Item = TypeVar("Item")
Result = TypeVar("Result")

Flush = Callable[[Sequence[Item]], Sequence[Result | Exception]]


class Batcher(Generic[Item, Result]):
    """Hands items in batches to `flush`, which blocks, in a thread of its own.

    `flush` gets 1 to `max_batch` items and returns one result for each, in their order; an
    exception among the results goes to its item alone. If `flush` raises, each item of that
    batch gets a copy of the error, and the next batch is tried as if nothing had happened.
    One batch is under way at a time. Belongs to one event loop.
    """

    def __init__(
        self, flush: Flush[Item, Result], *, name: str, max_batch: int, max_waiting: int
    ) -> None:
        self._flush = flush
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._thread = ThreadPoolExecutor(1, name)
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return the item's result. An item whose caller is cancelled while it waits is dropped.

        Raises:
            TooBusy: `max_waiting` items wait already.
            Exception: whatever `flush` has for this item.
        """
        if len(self._waiting) >= self._max_waiting:
            raise TooBusy(f"{len(self._waiting)} are waiting already")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        """Finish what waits and end the thread. Nothing may be submitted after."""
        if self._worker is not None:
            await self._worker
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._take():
            items = [item for item, _ in batch]
            results: Sequence[Result | Exception]
            try:
                results = await loop.run_in_executor(self._thread, self._flush, items)
                if len(results) != len(items):
                    raise ValueError(f"{len(results)} results for {len(items)} items")  # noqa: TRY301
            except Exception as error:  # whatever it is, the callers must hear of it
                results = [copy.copy(error) for _ in items]
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():  # its caller has gone
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)
        self._worker = None

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._max_batch:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch
