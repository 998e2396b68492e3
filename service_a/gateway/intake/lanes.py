"""Lanes to Service B: each model has one, so that one which is slow or gone holds up no other.

Names of models come from callers, so only so many have a lane. One more takes the place of a name
that nobody is using; a name that Service B has never answered for goes first.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping

from gateway.intake.forward_queue import ForwardQueue
from gateway.intake.ports import Breaker

_MAX_NAMED = 32
MAX_LANES = _MAX_NAMED + 2
"""The default model's and the shared one among them."""

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

    `make_lane` gets the name of the model: None for the default, `*` for all that find no lane
    of their own, because as many models as may have one are in use at the same moment.
    """

    def __init__(self, make_lane: Callable[[str | None], Lane]) -> None:
        self._make_lane = make_lane
        self._default = make_lane(None)
        self._default.confirmed = True
        self._named: dict[str, Lane] = {}  # the least recently used first
        self._shared: Lane | None = None

    def find(self, model: str | None) -> Lane:
        if model is None:
            return self._default
        lane = self._named.pop(model, None)
        if lane is None:
            if not self._make_room():
                if self._shared is None:
                    self._shared = self._make_lane("*")
                return self._shared
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
        if self._shared is not None:
            yield self._shared

    def _make_room(self) -> bool:
        if len(self._named) < _MAX_NAMED:
            return True
        idle = [name for name, lane in self._named.items() if not lane.callers]
        if not idle:
            return False
        unconfirmed = (name for name in idle if not self._named[name].confirmed)
        self._named.pop(next(unconfirmed, idle[0])).queue.end()
        return True
