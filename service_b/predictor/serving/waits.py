"""How long callers may keep the process waiting, with one timer for all of them."""

import asyncio
import time
from itertools import takewhile
from typing import Protocol

# A caller may leave its connection open between two bursts of requests.
KEEP_ALIVE_SECONDS = 75
# A caller that takes nothing of its answer for so long doesn't want it.
UNREAD_SECONDS = 75
# A caller that was refused gets this long to read why, while what it still sends is discarded.
LEAVE_SECONDS = 2
# Of answers that callers are slow to take, so much is kept for all of them together.
MAX_UNREAD_BYTES = 8 * 1024 * 1024

_CHECK_SECONDS = 0.25


class Waiter(Protocol):
    """One end of a connection."""

    def give_up(self) -> None:
        """Wait no longer: it has taken too long."""

    def give_up_body(self) -> None:
        """Wait no longer for the rest of a body."""

    def give_way(self) -> None:
        """Do without the body under way: the room is needed."""

    def drop(self) -> None:
        """Close at once: the room is needed."""

    def count_unread(self) -> int:
        """Count the bytes that the caller has not taken yet."""


class Waits:
    """Who waits since when, those that have waited longest first."""

    def __init__(self, head_seconds: float, body_seconds: float) -> None:
        self.idle: dict[Waiter, float] = {}  # for a next request
        self.unfinished: dict[Waiter, float] = {}  # for the rest of a request
        self.unread: dict[Waiter, float] = {}  # for the caller to take its answer
        self.leaving: dict[Waiter, float] = {}  # for a refused caller to close
        self.bodies: dict[Waiter, float] = {}  # for the rest of a body that is being read
        self._body_seconds = body_seconds
        self._limits = (
            (self.idle, KEEP_ALIVE_SECONDS),
            (self.unfinished, head_seconds),
            (self.unread, UNREAD_SECONDS),
            (self.leaving, LEAVE_SECONDS),
        )
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """From now on, look again and again who has waited too long."""
        if self._timer is None:
            self._set_timer()

    def _set_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_CHECK_SECONDS, self._check)

    def _check(self) -> None:
        self._set_timer()
        self.end_late(time.monotonic())

    def end_late(self, now: float) -> None:
        """Have all that have waited too long give up."""
        for waiters, seconds in self._limits:
            for waiter in _take(waiters, now - seconds):
                waiter.give_up()
        for waiter in _take(self.bodies, now - self._body_seconds):
            waiter.give_up_body()

    def end(self, waiter: Waiter) -> None:
        """End the wait for something that the caller has now sent."""
        self.idle.pop(waiter, None)
        self.unfinished.pop(waiter, None)
        self.bodies.pop(waiter, None)

    def forget(self, waiter: Waiter) -> None:
        for waiters, _ in self._limits:
            waiters.pop(waiter, None)
        self.bodies.pop(waiter, None)

    def bound_unread(self) -> None:
        """Drop those that have waited longest while all keep too much; the newest one stays."""
        sizes = {waiter: waiter.count_unread() for waiter in self.unread}
        total = sum(sizes.values())
        for waiter, size in list(sizes.items())[:-1]:
            if total <= MAX_UNREAD_BYTES:
                break
            total -= size
            self.forget(waiter)
            waiter.drop()

    def make_room(self) -> bool:
        """Drop the one that is needed least, if there is one without a request under way."""
        for waiters in (self.idle, self.unfinished, self.leaving):
            for waiter in waiters:
                self.forget(waiter)
                waiter.drop()
                return True
        return False


def _take(waiters: dict[Waiter, float], before: float) -> list[Waiter]:
    """Take out those that have waited since before a time; they may then begin another wait."""
    late = [each for each, _ in takewhile(lambda wait: wait[1] < before, waiters.items())]
    for waiter in late:
        del waiters[waiter]
    return late
