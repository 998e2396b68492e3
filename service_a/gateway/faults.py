"""Faults for teaching: each is in force until its time is over, and none outlives the process."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import FaultUnknown

_logger = logging.getLogger(__name__)


class Fault(BaseModel):
    """What a caller asks for: how long a fault lasts, and what else its kind needs."""

    model_config = ConfigDict(extra="forbid", strict=True)

    seconds: float = Field(ge=1, le=300, description="how long it is in force")


class SlowFault(Fault):
    ms: float = Field(ge=1, le=10_000, description="how much later everything comes")


class PartialFault(Fault):
    share: float = Field(gt=0, le=1, description="how many of all calls it hits")


@dataclass
class _InForce:
    fault: Fault
    timer: asyncio.TimerHandle
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """Which faults are in force. Belongs to one event loop, but any thread may look."""

    def __init__(self, kinds: Mapping[str, type[Fault]]) -> None:
        self._kinds = kinds
        self._in_force: dict[str, _InForce] = {}

    def find_kind(self, kind: str) -> type[Fault]:
        """Return what a fault of this kind needs.

        Raises:
            FaultUnknown: there is no such kind.
        """
        if kind not in self._kinds:
            raise FaultUnknown(kind, list(self._kinds))
        return self._kinds[kind]

    def begin(self, kind: str, fault: Fault) -> None:
        """Put a fault in force; it replaces one of its kind."""
        timer = asyncio.get_running_loop().call_later(fault.seconds, self.end, kind)
        if found := self._in_force.get(kind):  # what waits for its end goes on waiting
            found.timer.cancel()
            self._in_force[kind] = _InForce(fault, timer, found.ended)
        else:
            self._in_force[kind] = _InForce(fault, timer)
        _logger.warning("fault begins", extra={"fields": {"kind": kind, **fault.model_dump()}})

    def end(self, kind: str) -> None:
        """End a fault, if it is in force."""
        found = self._in_force.pop(kind, None)
        if found is not None:
            found.timer.cancel()
            found.ended.set()
            _logger.warning("fault ends", extra={"fields": {"kind": kind}})

    def end_all(self) -> None:
        for kind in self._kinds:
            self.end(kind)

    def find(self, kind: str) -> Fault | None:
        """Return a fault that is in force."""
        found = self._in_force.get(kind)
        return found.fault if found else None

    def describe(self) -> list[dict[str, Any]]:
        """Return all faults that are in force, each with the time that is left."""
        now = asyncio.get_running_loop().time()
        return [
            {
                "kind": kind,
                **found.fault.model_dump(),
                "seconds": round(max(0, found.timer.when() - now), 1),
            }
            for kind, found in self._in_force.items()
        ]

    async def wait(self, kind: str, max_seconds: float | None = None) -> None:
        """Return when a fault that is in force ends, or after some time."""
        found = self._in_force.get(kind)
        if found is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(max_seconds):
                    await found.ended.wait()
