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
from dataclasses import dataclass
from itertools import chain
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, TypeVar, cast

from gateway.errors import TooBusy

Item = TypeVar("Item")
Result = TypeVar("Result")

Flush = Callable[[Sequence[Item]], Sequence[Result | Exception]]
# Wakes a thread: with True to work, with False to end.
_Wake = SimpleQueue[bool]


class Group(Generic[Result]):
    """Items that one caller waits for, together."""

    __slots__ = ("_missing", "_results", "future", "since", "size")

    def __init__(self, size: int, future: asyncio.Future[list[Result | Exception]]) -> None:
        self.size = size
        self.future = future
        self.since = time.monotonic()  # when its items began to wait, if they are there
        self._results: list[Result | Exception | None] = [None] * size
        self._missing = size

    def settle(self, index: int, result: Result | Exception) -> None:
        self._results[index] = result
        self._missing -= 1
        if not self._missing and not self.future.done():
            self.future.set_result(cast("list[Result | Exception]", self._results))

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Step:
    """Stands for an item before those of a group: only its error is told, to that group."""

    __slots__ = ("_group", "future", "since")

    since: float

    def __init__(self, group: Group[Any]) -> None:
        self.future = group.future
        self._group = group

    def settle(self, _: int, error: Any) -> None:
        self.fail(error)

    def fail(self, error: Exception) -> None:
        self._group.fail(error)


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    group: Group[Result] | _Step
    index: int

    def is_told(self, result: Result | Exception) -> bool:
        return type(self.group) is not _Step or isinstance(result, Exception)


class Batcher(Generic[Item, Result]):
    """Hands items in batches to `flush`, which blocks, in threads of its own.

    `flush` gets 1 to `max_batch` items, of at most `max_callers` callers, and returns one result
    for each, in their order; an exception among the results goes to its item alone. If `flush`
    raises, each item of that batch gets a copy of the error, and the next batch is tried as if
    nothing had happened. As many batches are under way at a time as there are threads. Belongs to
    one event loop.
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
    ) -> None:
        self._flush = flush
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._max_seconds = max_seconds
        self._max_wait_seconds = max_wait_seconds
        self._max_callers = max_callers
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._under_way: list[list[_Waiting[Item, Result]]] = [[] for _ in range(threads)]
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        # A thread takes the next batch by itself: this loop, busy with the answers to the last one,
        # would let it wait, and with it whatever is behind `flush`. It is woken only if it sleeps.
        self._lock = Lock()
        self._wakes: list[_Wake] = [SimpleQueue() for _ in range(threads)]
        self._asleep = self._wakes.copy()
        self._threads = [
            Thread(target=self._work, args=[number], name=name, daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, items: Sequence[Item]) -> asyncio.Future[list[Result | Exception]]:
        """Take in what one caller has; the future gets each item's result, in their order.

        The items may end up in several batches. Those that wait when the future is cancelled
        are dropped. After `max_seconds` the future gets a `TimeoutError`.

        Raises:
            TooBusy: `max_waiting` items wait already; none of these is taken.
        """
        group = self.expect(len(items))
        if items:
            self._put(group, items)
        return self.wait(group)

    def put_before(self, item: Item, group: Group[Any]) -> None:
        """Take in an item that comes before those of a group, which `flush` itself passes on.

        The group hears of it only if it fails, or takes more than `max_seconds`. It is dropped
        when the group's future is cancelled.

        Raises:
            TooBusy: `max_waiting` items wait already; this one is not taken.
        """
        self._put(_Step(group), [item])
        self._watch()

    def _put(self, group: Group[Result] | _Step, items: Sequence[Item]) -> None:
        if len(self._waiting) >= self._max_waiting:
            raise self._refuse()
        self._enqueue(group, items)
        if sleeper := self._choose_sleeper():
            # In the loop's next turn, so that what comes in this one goes along.
            self._loop.call_soon(sleeper.put, True)

    def expect(self, size: int) -> Group[Result]:
        """Make a group for items that `add` brings later."""
        group: Group[Result] = Group(size, self._loop.create_future())
        if not size:
            group.future.set_result([])
        return group

    def add(self, expected: Sequence[tuple[Group[Result], Sequence[Item]]]) -> None:
        """Take in the items of groups. From any thread: one that has what is next needs no turn
        of the loop to pass it on.

        If `max_waiting` items wait already, a group's future gets a `TooBusy`.
        """
        if not expected:
            return
        for group, items in expected:
            if len(self._waiting) >= self._max_waiting:
                self._loop.call_soon_threadsafe(group.fail, self._refuse())
            else:
                self._enqueue(group, items)
        if sleeper := self._choose_sleeper():
            sleeper.put(True)
        # After they were added: a timer that runs out before has not seen them.
        if self._timer is None:
            self._loop.call_soon_threadsafe(self._watch)

    def wait(self, group: Group[Result]) -> asyncio.Future[list[Result | Exception]]:
        """Return a group's future. It gets a `TimeoutError` `max_seconds` after its items came."""
        self._watch()
        return group.future

    async def submit(self, item: Item) -> Result:
        """Return the item's result.

        Raises:
            TooBusy: `max_waiting` items wait already, or this one waited `max_wait_seconds`.
            TimeoutError: there is no result after `max_seconds`.
            Exception: whatever `flush` has for this item.
        """
        (result,) = await self.put([item])
        if isinstance(result, Exception):
            raise result
        return result

    async def close(self) -> None:
        """Finish what waits and end the threads. Nothing may come after."""
        for wake in self._wakes:
            wake.put(False)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        if self._timer is not None:
            self._timer.cancel()

    def _enqueue(self, group: Group[Result] | _Step, items: Sequence[Item]) -> None:
        group.since = time.monotonic()
        self._waiting.extend([_Waiting(item, group, index) for index, item in enumerate(items)])

    def _refuse(self) -> TooBusy:
        return TooBusy(f"{len(self._waiting)} are waiting already")

    def _choose_sleeper(self) -> _Wake | None:
        """Return what wakes a thread that sleeps, if there is one; from now on it counts as awake.

        Call it when something has been added. A thread falls asleep with the same lock, and only
        when nothing is there: so either it has seen what was added, or it is seen here.
        """
        with self._lock:
            # The one that was awake last has most of what it needs in the processor's caches.
            return self._asleep.pop() if self._asleep else None

    def _work(self, number: int) -> None:
        """Flush batches as long as there are any, in one of the threads."""
        goes_on = True
        while goes_on:
            goes_on = self._wakes[number].get()
            while batch := self._take(number):
                results: Sequence[Result | Exception]
                try:
                    results = self._flush([waiting.item for waiting in batch])
                    if len(results) != len(batch):
                        raise ValueError(f"{len(results)} results for {len(batch)} items")  # noqa: TRY301
                except Exception as error:  # whatever it is, the callers must hear of it
                    results = [copy.copy(error) for _ in batch]
                # What comes after a step has a time of its own.
                self._under_way[number] = []
                pairs = zip(batch, results, strict=True)
                told = [(waiting, result) for waiting, result in pairs if waiting.is_told(result)]
                if told:
                    self._loop.call_soon_threadsafe(self._settle, told)

    def _take(self, number: int) -> list[_Waiting[Item, Result]]:
        """Take the next batch; if there is none, the thread counts as asleep."""
        batch = self._under_way[number]
        late: list[_Waiting[Item, Result]] = []
        earliest = time.monotonic() - self._max_wait_seconds
        callers: set[Group[Result] | _Step] = set()
        with self._lock:
            while self._waiting and len(batch) < self._max_batch:
                waiting = self._waiting[0]
                if len(callers) >= self._max_callers and waiting.group not in callers:
                    break
                if waiting.group.future.done():
                    pass  # its caller has gone
                elif waiting.group.since < earliest:
                    late.append(waiting)
                else:
                    batch.append(waiting)
                    callers.add(waiting.group)
                self._waiting.popleft()  # not before: `_give_up` must find it at any time
            if not batch:
                self._asleep.append(self._wakes[number])
            elif self._waiting and self._asleep:
                self._asleep.pop().put(True)
        if late:
            error = "waited too long for its turn"
            self._loop.call_soon_threadsafe(self._settle, [(each, TooBusy(error)) for each in late])
        return batch

    def _settle(self, told: Sequence[tuple[_Waiting[Item, Result], Result | Exception]]) -> None:
        for waiting, result in told:
            waiting.group.settle(waiting.index, result)

    def _watch(self) -> None:
        # One timer for all: setting one for each item would cost more than all else here.
        if self._timer is None:
            self._timer = self._loop.call_later(self._max_seconds, self._give_up)

    def _give_up(self) -> None:
        """Have nobody wait for longer than `max_seconds`; look again when the next one would."""
        now = time.monotonic()
        self._timer = None
        soonest = math.inf
        # Items go from the first of these to the second: in this order, none is missed.
        for waiting in (*self._waiting, *chain.from_iterable(self._under_way)):
            future, left = waiting.group.future, waiting.group.since + self._max_seconds - now
            if future.done():
                continue
            if left <= 0:
                waiting.group.fail(TimeoutError())
            else:
                soonest = min(soonest, left)
        if soonest < math.inf:
            self._timer = self._loop.call_later(soonest, self._give_up)
