"""Batching by nature: what arrives while one batch is under way makes up the next one.

No timer decides when a batch is full. An idle batcher passes an item on at once, alone; a
busy one makes one call for many items, the more of them the busier it is.

One batcher can feed another: `put_before` takes an item and those that follow it, which go into
another batcher as soon as it is done.
"""

import asyncio
import copy
import math
import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Generic, TypeVar

from gateway.errors import TooBusy
from gateway.intake.groups import BEFORE, Group
from gateway.intake.waiting_items import Waiting, WaitingItems

Item = TypeVar("Item")
Result = TypeVar("Result")
Next = TypeVar("Next")
Final = TypeVar("Final")

Flush = Callable[[Sequence[Item], float], Sequence[Result | Exception]]


class Batcher(Generic[Item, Result]):
    """Hands items in batches to `flush`, which blocks, in threads of its own.

    `flush` gets 1 to `max_batch` items, of at most `max_callers` callers, and when the last of
    them is given up, of `time.monotonic()`. It returns one result for each, in their order; an
    exception among the results goes to its item alone. If `flush` raises, each item of that
    batch gets a copy of the error, and the next batch is tried as if nothing had happened. As
    many batches are under way at a time as there are threads.

    No caller waits longer than `max_seconds`. Items are refused with `TooBusy` when
    `max_waiting` wait already, and when they have waited `max_wait_seconds` for their turn, unless
    others of their caller have had theirs. Belongs to one event loop.
    """

    def __init__(
        self,
        flush: Flush[Item, Result],
        *,
        name: str,
        max_batch: int,
        max_waiting: int,
        max_seconds: float,
        max_wait_seconds: float = math.inf,
        max_callers: float = math.inf,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._flush = flush
        self._max_seconds = max_seconds
        self._clock = clock
        self._items: WaitingItems[Item] = WaitingItems(
            max_batch=max_batch,
            max_waiting=max_waiting,
            max_wait_seconds=max_wait_seconds,
            max_callers=max_callers,
            threads=threads,
            clock=clock,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        # A thread takes the next batch by itself: this loop, busy with the answers to the last one,
        # would let it wait, and with it whatever is behind `flush`. It is woken only if it sleeps.
        self._threads = [
            Thread(target=self._work, args=[number], name=name, daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many items wait for their turn."""
        return len(self._items)

    def put(self, items: Sequence[Item]) -> Group[Result]:
        """Take in what one caller has. The items may end up in several batches."""
        group: Group[Result] = Group(items, self._loop.create_future(), self._clock())
        self._put(group, items, 0)
        return group

    def put_before(
        self, item: Item, following: "Batcher[Next, Final]", items: Sequence[Next]
    ) -> Group[Final]:
        """Take in an item, and those that follow it into another batcher of the same event loop.

        Returns the group of those that follow. Its `before` is None until they begin to wait, and
        its future gets this item's error, if there is one. Their time begins when they wait.
        """
        future = self._loop.create_future()
        group: Group[Final] = Group(items, future, self._clock(), following)
        self._put(group, [item], BEFORE)
        following._watch()
        return group

    async def submit(self, item: Item) -> Result:
        """Return the item's result.

        Raises:
            TooBusy: it was refused.
            TimeoutError: there is no result after `max_seconds`.
            Exception: whatever `flush` has for this item.
        """
        (result,) = await self.put([item]).future
        if isinstance(result, Exception):
            raise result
        return result

    def end(self) -> None:
        """Have the threads end when they have finished what waits. Nothing may come after."""
        self._items.end()

    async def close(self, max_seconds: float = 60) -> None:
        """Finish what waits and end the threads. Nothing may come after.

        What takes longer than `max_seconds` is refused with `TooBusy`; its thread is left alone.
        """
        self.end()
        closed_at = self._clock() + max_seconds
        for thread in self._threads:
            await asyncio.to_thread(thread.join, max(0, closed_at - self._clock()))
        self._items.close()
        if self._timer is not None:
            self._timer.cancel()

    # In the event loop

    def _put(self, group: Group[Any], items: Sequence[Item], first_index: int) -> None:
        if error := self._items.add(group, items, first_index):
            group.fail(error)
            return
        if sleeper := self._items.choose_sleeper():
            # In the loop's next turn, so that what comes in this one goes along.
            self._loop.call_soon(sleeper.put, True)
        self._watch()

    def _settle(self, settled: Sequence[tuple[Waiting[Item], Result | Exception]]) -> None:
        for waiting, result in settled:
            waiting.group.settle(waiting.index, result)

    def _watch(self) -> None:
        # One timer for all: setting one for each item would cost more than all else here.
        if self._timer is None:
            self._timer = self._loop.call_later(self._max_seconds, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        next_seconds = self._items.give_up(self._max_seconds)
        if next_seconds < math.inf:
            self._timer = self._loop.call_later(next_seconds, self._give_up)

    # In a thread of this batcher, or of the one that feeds it

    def _work(self, number: int) -> None:
        """Flush batches as long as there are any."""
        goes_on = True
        while goes_on:
            goes_on = self._items.sleep(number)
            while batch := self._take(number):
                results = self._flush_batch(batch)
                if self._items.closed:
                    return  # nobody waits, and the event loop may be closed
                # Not given up from here on: what follows an item has a time of its own.
                self._items.end_batch(number)
                self._pass_on(batch, results)

    def _take(self, number: int) -> Sequence[Waiting[Item]]:
        batch, late = self._items.take(number)
        if late:
            error = "waited too long for its turn"
            self._loop.call_soon_threadsafe(self._settle, [(each, TooBusy(error)) for each in late])
        return batch

    def _flush_batch(self, batch: Sequence[Waiting[Item]]) -> Sequence[Result | Exception]:
        try:
            deadline = batch[-1].group.since + self._max_seconds
            results = self._flush([waiting.item for waiting in batch], deadline)
            if len(results) != len(batch):
                raise ValueError(f"{len(results)} results for {len(batch)} items")  # noqa: TRY301
        except Exception as error:  # whatever it is, the callers must hear of it
            return [copy.copy(error) for _ in batch]
        return results

    def _pass_on(
        self, batch: Sequence[Waiting[Item]], results: Sequence[Result | Exception]
    ) -> None:
        """Hand what follows an item to its batcher, and all other results to the event loop."""
        settled = []
        fed: dict[Batcher[Any, Any], list[Group[Any]]] = {}
        for waiting, result in zip(batch, results, strict=True):
            group = waiting.group
            if waiting.index == BEFORE and not isinstance(result, Exception):
                group.before = result
                fed.setdefault(group.following, []).append(group)
            else:
                settled.append((waiting, result))
        for following, groups in fed.items():
            following._take_over(groups)
        if settled:
            self._loop.call_soon_threadsafe(self._settle, settled)

    def _take_over(self, groups: Sequence[Group[Any]]) -> None:
        """Take in groups whose item before is done, without a turn of the busy event loop.

        Only errors need one.
        """
        for group in groups:
            if error := self._items.add(group, group.items, 0):
                self._loop.call_soon_threadsafe(group.fail, error)
        if sleeper := self._items.choose_sleeper():
            sleeper.put(True)
        # After they were added: a timer that runs out before has not seen them.
        if self._timer is None:
            self._loop.call_soon_threadsafe(self._watch)
