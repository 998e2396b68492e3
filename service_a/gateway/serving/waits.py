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

_CHECK_SECONDS = 0.25


class Waiter(Protocol):
    """One end of a connection."""

    def give_up(self) -> None:
        """Wait no longer: it has taken too long."""

    def drop(self) -> None:
        """Close at once: the room is needed."""


class Waits:
    """Who waits since when, those that have waited longest first."""

    def __init__(self, head_seconds: float) -> None:
        self.idle: dict[Waiter, float] = {}  # for a next request
        self.unfinished: dict[Waiter, float] = {}  # for the rest of a request
        self.unread: dict[Waiter, float] = {}  # for the caller to take its answer
        self.leaving: dict[Waiter, float] = {}  # for a refused caller to close
        self._limits = (
            (self.idle, KEEP_ALIVE_SECONDS),
            (self.unfinished, head_seconds),
            (self.unread, UNREAD_SECONDS),
            (self.leaving, LEAVE_SECONDS),
        )
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Look from now on, time and again, who has waited too long."""
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
            # In a list first: what gives up may begin another wait.
            late = takewhile(lambda wait: now - wait[1] > seconds, waiters.items())  # noqa: B023
            for waiter, _ in list(late):
                del waiters[waiter]
                waiter.give_up()

    def end(self, waiter: Waiter) -> None:
        """The caller has sent what it was waited for."""
        self.idle.pop(waiter, None)
        self.unfinished.pop(waiter, None)

    def forget(self, waiter: Waiter) -> None:
        for waiters, _ in self._limits:
            waiters.pop(waiter, None)

    def make_room(self) -> bool:
        """Drop the one that is needed least, if there is one without a request under way."""
        for waiters in (self.idle, self.unfinished, self.leaving):
            for waiter in waiters:
                self.forget(waiter)
                waiter.drop()
                return True
        return False
