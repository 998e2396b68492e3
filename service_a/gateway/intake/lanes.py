"""Lanes to Service B: each model has one, so that one which is slow or gone holds up no other.

Names of models come from callers, so lanes are dropped when there are many: those of names that
Service B has never answered for and has never failed at, and beyond a bound also others. A lane
that somebody waits in stays.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping

from gateway.intake.forward_queue import ForwardQueue
from gateway.intake.ports import Breaker

_MANY = 32
_MAX_NAMED = 128
MAX_LANES = _MAX_NAMED + 1
"""The default model's among them."""

# A call may take longer, and a stop must not.
_CLOSE_SECONDS = 0.5


class Lane:
    """One model's queue, with threads that make its calls, and its circuit."""

    __slots__ = ("breaker", "callers", "confirmed", "queue")

    def __init__(self, queue: ForwardQueue, breaker: Breaker) -> None:
        self.queue = queue
        self.breaker = breaker
        self.callers = 0  # that wait for something in it
        self.confirmed = False  # whether Service B has ever answered for the model


class Lanes:
    """Finds the lane of a model. Belongs to one event loop.

    `make_lane` gets the name of the model, None for the default.
    """

    def __init__(self, make_lane: Callable[[str | None], Lane]) -> None:
        self._make_lane = make_lane
        self._default = make_lane(None)
        self._default.confirmed = True
        self._named: dict[str, Lane] = {}  # the least recently used first

    def find(self, model: str | None) -> Lane | None:
        """Return None if there is no room for one more, as so many others are waited for."""
        if model is None:
            return self._default
        lane = self._named.pop(model, None)
        if lane is None:
            if not self._make_room():
                return None
            lane = self._make_lane(model)
        self._named[model] = lane
        return lane

    @property
    def default_circuit(self) -> str:
        return self._default.breaker.state

    @property
    def waiting(self) -> int:
        """How many inputs wait for a call, of all models together."""
        return sum(lane.queue.waiting for lane in self._list())

    def read_circuits(self) -> Mapping[str, str]:
        """Return the state of each circuit, by the name of the model, apart from the default's."""
        return {name: lane.breaker.state for name, lane in self._named.items()}

    async def close(self) -> None:
        """Finish what waits and end the threads. What takes too long is refused."""
        await asyncio.gather(*[lane.queue.close(_CLOSE_SECONDS) for lane in self._list()])

    def _list(self) -> Iterator[Lane]:
        yield self._default
        yield from self._named.values()

    def _make_room(self) -> bool:
        while len(self._named) >= _MANY and self._drop(_is_unknown):
            pass
        return len(self._named) < _MAX_NAMED or self._drop(_is_idle)

    def _drop(self, may_go: Callable[[Lane], bool]) -> bool:
        """Drop the least recently used lane that may go, if there is one."""
        name = next((name for name, lane in self._named.items() if may_go(lane)), None)
        if name is None:
            return False
        self._named.pop(name).queue.end()
        return True


def _is_idle(lane: Lane) -> bool:
    return not lane.callers


def _is_unknown(lane: Lane) -> bool:
    return _is_idle(lane) and not lane.confirmed and lane.breaker.state == "closed"
