"""How long each stage of a request took, for the `Server-Timing` of its answer."""

import time
from functools import lru_cache


class Stages:
    """The stages of one request, in their order. Each begins when the one before it ends."""

    __slots__ = ("_began_at", "_ends")

    def __init__(self) -> None:
        self._began_at = time.perf_counter()
        self._ends: list[tuple[str, float]] = []

    def end(self, name: str) -> None:
        """End a stage now. A request may go through a stage several times."""
        self._ends.append((name, time.perf_counter()))

    def list_stages(self) -> list[tuple[str, float, float]]:
        """Return each stage that a request went through: the name, when it began, and ended."""
        begins = [self._began_at, *(at for _, at in self._ends)]
        return [
            (name, began_at, at) for began_at, (name, at) in zip(begins, self._ends, strict=False)
        ]

    def write_header(self) -> bytes:
        """Return the value of `Server-Timing`, with `total` up to now."""
        milliseconds: dict[str, float] = {}
        last_at = self._began_at
        for name, at in self._ends:
            milliseconds[name] = milliseconds.get(name, 0.0) + (at - last_at) * 1000
            last_at = at
        total = (time.perf_counter() - self._began_at) * 1000
        return _make_template(tuple(milliseconds)) % (*milliseconds.values(), total)


@lru_cache
def _make_template(names: tuple[str, ...]) -> bytes:
    return ", ".join(f"{name};dur=%.2f" for name in (*names, "total")).encode()
