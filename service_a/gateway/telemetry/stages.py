"""How long each stage of a request took, for the `Server-Timing` of its answer."""

import time
from functools import lru_cache


class Stages:
    """The stages of one request, in their order. Each begins when the one before it ends."""

    __slots__ = ("_began_at", "_ended_at", "milliseconds")

    def __init__(self) -> None:
        self._began_at = self._ended_at = time.perf_counter()
        self.milliseconds: dict[str, float] = {}

    def end(self, name: str, at: float | None = None) -> None:
        """End a stage now, or at a time of `time.perf_counter()`.

        A request may go through a stage several times: it took as long as all of them.
        """
        at = time.perf_counter() if at is None else max(at, self._ended_at)
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + (at - self._ended_at) * 1000
        self._ended_at = at

    def measure_total(self) -> float:
        """Return how many milliseconds the request has taken so far."""
        return (time.perf_counter() - self._began_at) * 1000

    def write(self) -> bytes:
        """Return the value of the header, with `total` up to now."""
        milliseconds = self.milliseconds
        return _make_template(tuple(milliseconds)) % (*milliseconds.values(), self.measure_total())


@lru_cache
def _make_template(names: tuple[str, ...]) -> bytes:
    return ", ".join(f"{name};dur=%.2f" for name in (*names, "total")).encode()
