"""Batching by nature: what arrives while one batch is under way makes up the next one.

No timer decides when a batch is full. An idle batcher passes an item on at once, alone; a
busy one makes one call for many items, the more of them the busier it is.

One batcher can feed another: `put_before` takes an item, and the items that are to follow it
into another batcher as soon as it is done.
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
Next = TypeVar("Next")
Final = TypeVar("Final")

Flush = Callable[[Sequence[Item], float], Sequence[Result | Exception]]
_CLOSED = "the service is stopping"
# Wakes a thread: with True to work, with False to end.
_Wake = SimpleQueue[bool]


class Group(Generic[Result]):
    """Items that one caller waits for, together.

    The future gets each item's result, in their order. Instead it gets a `TooBusy`, when the
    items were refused, or a `TimeoutError`, when they took too long. Items that still wait when
    it is cancelled are dropped.
    """

    __slots__ = ("_missing", "_results", "before", "future", "since", "size")

    def __init__(
        self, size: int, future: asyncio.Future[list[Result | Exception]], since: float
    ) -> None:
        self.size = size
        self.future = future
        self.since = since  # when its items began to wait, as soon as they have
        self.before: Any = None  # the result of the item before them, once it is done
        self._results: list[Result | Exception | None] = [None] * size
        self._missing = size
        if not size:
            future.set_result([])

    def settle(self, index: int, result: Result | Exception) -> None:
        self._results[index] = result
        self._missing -= 1
        if not self._missing and not self.future.done():
            self.future.set_result(cast("list[Result | Exception]", self._results))

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Step:
    """Stands for a group where the item before its own waits: passes on errors, nothing else."""

    __slots__ = ("following", "future", "group", "items", "since")

    since: float

    def __init__(
        self, group: Group[Any], following: "Batcher[Any, Any]", items: Sequence[Any]
    ) -> None:
        self.future = group.future
        self.group = group
        self.following = following
        self.items = items

    def settle(self, _: int, error: Any) -> None:
        self.group.fail(error)

    def fail(self, error: Exception) -> None:
        self.group.fail(error)


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    group: Group[Result] | _Step
    index: int


class Batcher(Generic[Item, Result]):
    """Hands items in batches to `flush`, which blocks, in threads of its own.

    `flush` gets 1 to `max_batch` items, of at most `max_callers` callers, and when the last of
    them is given up, of `time.monotonic()`. It returns one result for each, in their order; an
    exception among the results goes to its item alone. If `flush` raises, each item of that
    batch gets a copy of the error, and the next batch is tried as if nothing had happened. As
    many batches are under way at a time as there are threads.

    No caller waits longer than `max_seconds`. Items are refused with `TooBusy` when
    `max_waiting` wait already, and when they have waited `max_wait_seconds` for their turn.
    Belongs to one event loop.
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
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._max_seconds = max_seconds
        self._max_wait_seconds = max_wait_seconds
        self._max_callers = max_callers
        self._clock = clock
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._under_way: list[list[_Waiting[Item, Result]]] = [[] for _ in range(threads)]
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
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

    @property
    def waiting(self) -> int:
        """How many items wait for their turn."""
        return len(self._waiting)

    def put(self, items: Sequence[Item]) -> Group[Result]:
        """Take in what one caller has. The items may end up in several batches."""
        group: Group[Result] = Group(len(items), self._loop.create_future(), self._clock())
        self._put(group, items)
        return group

    def put_before(
        self, item: Item, following: "Batcher[Next, Final]", items: Sequence[Next]
    ) -> Group[Final]:
        """Take in an item, and what follows it into another batcher of the same event loop.

        The group is that of the items that follow. Until they begin to wait, `before` is None,
        and what its future gets is the error of this item. Then they have a time of their own.
        """
        group: Group[Final] = Group(len(items), self._loop.create_future(), self._clock())
        self._put(_Step(group, following, items), [item])
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
        for wake in self._wakes:
            wake.put(False)

    async def close(self, max_seconds: float | None = None) -> None:
        """Finish what waits and end the threads. Nothing may come after.

        What takes longer than `max_seconds` is refused with `TooBusy`; its thread is left alone.
        """
        self.end()
        closed_at = math.inf if max_seconds is None else self._clock() + max_seconds
        for thread in self._threads:
            left = None if max_seconds is None else max(0, closed_at - self._clock())
            await asyncio.to_thread(thread.join, left)
        self._closed = True
        for waiting in (*self._waiting, *chain.from_iterable(self._under_way)):
            waiting.group.fail(TooBusy(_CLOSED))
        if self._timer is not None:
            self._timer.cancel()

    # In the event loop

    def _put(self, group: Group[Result] | _Step, items: Sequence[Item]) -> None:
        if error := self._enqueue(group, items):
            group.fail(error)
            return
        if sleeper := self._choose_sleeper():
            # In the loop's next turn, so that what comes in this one goes along.
            self._loop.call_soon(sleeper.put, True)
        self._watch()

    def _settle(self, settled: Sequence[tuple[_Waiting[Item, Result], Result | Exception]]) -> None:
        for waiting, result in settled:
            waiting.group.settle(waiting.index, result)

    def _watch(self) -> None:
        # One timer for all: setting one for each item would cost more than all else here.
        if self._timer is None:
            self._timer = self._loop.call_later(self._max_seconds, self._give_up)

    def _give_up(self) -> None:
        """Have nobody wait for longer than `max_seconds`; look again when the next one would."""
        now = self._clock()
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

    # In any thread

    def _enqueue(self, group: Group[Result] | _Step, items: Sequence[Item]) -> TooBusy | None:
        if len(self._waiting) >= self._max_waiting:
            return TooBusy(f"{len(self._waiting)} are waiting already")
        group.since = self._clock()
        self._waiting.extend([_Waiting(item, group, index) for index, item in enumerate(items)])
        # Not before: `close` refuses what it finds, and this what was added later.
        return TooBusy(_CLOSED) if self._closed else None

    def _choose_sleeper(self) -> _Wake | None:
        """Return what wakes a thread that sleeps, if there is one; from now on it counts as awake.

        To be called after something has been added. A thread falls asleep under the same lock, and
        only when nothing is there: so either it has seen what was added, or it is found here.
        """
        with self._lock:
            # The one that was awake last has most of what it needs in the processor's caches.
            return self._asleep.pop() if self._asleep else None

    # In a thread of this batcher, or of the one that feeds it

    def _work(self, number: int) -> None:
        """Flush batches as long as there are any."""
        goes_on = True
        while goes_on:
            goes_on = self._wakes[number].get()
            while batch := self._take(number):
                results = self._flush_batch(batch)
                if self._closed:
                    return  # nobody waits, and the event loop may be closed
                # Not given up from here on: what follows a step has a time of its own.
                self._under_way[number] = []
                self._pass_on(batch, results)

    def _take(self, number: int) -> list[_Waiting[Item, Result]]:
        """Take the next batch; if there is none, the thread counts as asleep."""
        batch = self._under_way[number]
        late: list[_Waiting[Item, Result]] = []
        earliest = self._clock() - self._max_wait_seconds
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

    def _flush_batch(self, batch: Sequence[_Waiting[Item, Result]]) -> Sequence[Result | Exception]:
        try:
            deadline = batch[-1].group.since + self._max_seconds
            results = self._flush([waiting.item for waiting in batch], deadline)
            if len(results) != len(batch):
                raise ValueError(f"{len(results)} results for {len(batch)} items")  # noqa: TRY301
        except Exception as error:  # whatever it is, the callers must hear of it
            return [copy.copy(error) for _ in batch]
        return results

    def _pass_on(
        self, batch: Sequence[_Waiting[Item, Result]], results: Sequence[Result | Exception]
    ) -> None:
        """Hand what follows a step to its batcher, and all other results to the event loop."""
        settled = []
        fed: dict[Batcher[Any, Any], list[_Step]] = {}
        for waiting, result in zip(batch, results, strict=True):
            step = waiting.group
            if isinstance(step, _Step) and not isinstance(result, Exception):
                step.group.before = result
                fed.setdefault(step.following, []).append(step)
            else:
                settled.append((waiting, result))
        for following, steps in fed.items():
            following._take_over(steps)
        if settled:
            self._loop.call_soon_threadsafe(self._settle, settled)

    def _take_over(self, steps: Sequence[_Step]) -> None:
        """Take in what follows the steps. All of this is done without a turn of the event loop,
        which is busy; only errors need one."""
        for step in steps:
            if error := self._enqueue(step.group, step.items):
                self._loop.call_soon_threadsafe(step.group.fail, error)
        if sleeper := self._choose_sleeper():
            sleeper.put(True)
        # After they were added: a timer that runs out before has not seen them.
        if self._timer is None:
            self._loop.call_soon_threadsafe(self._watch)
