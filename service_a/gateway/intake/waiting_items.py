"""Items that wait for their turn, and the threads that sleep until there are some."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from queue import SimpleQueue
from threading import Lock
from typing import Any, Generic, TypeVar

from gateway.errors import TooBusy
from gateway.intake.groups import Group

Item = TypeVar("Item")

_CLOSED = "the service is stopping"
# Wakes a thread: with True to work, with False to end.
Wake = SimpleQueue[bool]


@dataclass(slots=True)
class Waiting(Generic[Item]):
    """An item, and which one of its group it is: -1 is the one before the group's own."""

    item: Item
    group: Group[Any]
    index: int


class WaitingItems(Generic[Item]):
    """Items in the order in which they came, and the batches of them that are under way.

    Each thread has a number. It takes batches as long as there are any, and then falls asleep.
    Safe to use from all of them.
    """

    def __init__(
        self,
        *,
        max_batch: int,
        max_waiting: int,
        max_wait_seconds: float,
        max_callers: float,
        threads: int,
        clock: Callable[[], float],
    ) -> None:
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self._max_callers = max_callers
        self._clock = clock
        self._waiting: deque[Waiting[Item]] = deque()
        self._under_way: list[list[Waiting[Item]]] = [[] for _ in range(threads)]
        self._lock = Lock()
        self._wakes: list[Wake] = [SimpleQueue() for _ in range(threads)]
        self._asleep = self._wakes.copy()
        self.closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, group: Group[Any], items: Sequence[Item], first_index: int) -> TooBusy | None:
        """Add items of a group, or return why they are refused."""
        if len(self._waiting) >= self._max_waiting:
            return TooBusy(f"{len(self._waiting)} are waiting already")
        group.since, group.has_begun = self._clock(), False
        self._waiting.extend([Waiting(item, group, i) for i, item in enumerate(items, first_index)])
        # Not before: `close` refuses what it finds, and this what was added later.
        return TooBusy(_CLOSED) if self.closed else None

    def choose_sleeper(self) -> Wake | None:
        """Return what wakes a thread that sleeps, if there is one; from now on it counts as awake.

        To be called after something has been added. A thread falls asleep under the same lock, and
        only when nothing is there: so either it has seen what was added, or it is found here.
        """
        with self._lock:
            # The one that was awake last has most of what it needs in the processor's caches.
            return self._asleep.pop() if self._asleep else None

    def take(self, number: int) -> tuple[list[Waiting[Item]], list[Waiting[Item]]]:
        """Take the next batch, and what came too late for it. Without one the thread is asleep."""
        batch = self._under_way[number]
        late: list[Waiting[Item]] = []
        earliest = self._clock() - self._max_wait_seconds
        callers: set[Group[Any]] = set()
        with self._lock:
            while self._waiting and len(batch) < self._max_batch:
                waiting = self._waiting[0]
                if len(callers) >= self._max_callers and waiting.group not in callers:
                    break
                if waiting.group.future.done():
                    pass  # its caller has gone
                elif waiting.group.since < earliest and not waiting.group.has_begun:
                    late.append(waiting)
                else:
                    batch.append(waiting)
                    callers.add(waiting.group)
                    waiting.group.has_begun = True
                self._waiting.popleft()  # not before: it must be in one of the two at any time
            if not batch:
                self._asleep.append(self._wakes[number])
            elif self._waiting and self._asleep:
                self._asleep.pop().put(True)
        return batch, late

    def end_batch(self, number: int) -> None:
        self._under_way[number] = []

    def sleep(self, number: int) -> bool:
        """Return when there is something to take: False if that is the last time."""
        return self._wakes[number].get()

    def give_up(self, max_seconds: float) -> float:
        """Have nobody wait for longer; return in how many seconds the next one would."""
        now = self._clock()
        soonest = math.inf
        for waiting in self._list():
            left = waiting.group.since + max_seconds - now
            if waiting.group.future.done():
                continue
            if left <= 0:
                waiting.group.fail(TimeoutError())
            else:
                soonest = min(soonest, left)
        return soonest

    def end(self) -> None:
        """Wake all threads a last time."""
        for wake in self._wakes:
            wake.put(False)

    def close(self) -> None:
        """Refuse what is left, and all that comes."""
        self.closed = True
        for waiting in self._list():
            waiting.group.fail(TooBusy(_CLOSED))

    def _list(self) -> Sequence[Waiting[Item]]:
        # Items go from the first of these to the second: in this order, none is missed.
        return (*self._waiting, *chain.from_iterable(self._under_way))
