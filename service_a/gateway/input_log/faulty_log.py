"""A log that fails on purpose, in front of the real one."""

import time
from collections.abc import Mapping, Sequence

from gateway.errors import InputLogUnavailable
from gateway.faults import Fault, Faults, SlowFault
from gateway.intake.entries import Entry
from gateway.intake.ports import InputLog

KINDS: Mapping[str, type[Fault]] = {"log_full": Fault, "log_slow": SlowFault}

# How soon a write goes on after the fault has ended.
_STEP_SECONDS = 0.01


class FaultyLog:
    """Writes to a log unless a fault is in force: a full disk, or a slow one."""

    def __init__(self, log: InputLog, faults: Faults) -> None:
        self._log = log
        self._faults = faults

    def write(self, entries: Sequence[Entry]) -> Sequence[int]:
        if self._faults.find("log_full"):
            raise InputLogUnavailable("the fault log_full is in force")
        slow = self._faults.find("log_slow")
        if isinstance(slow, SlowFault):
            until = time.monotonic() + slow.ms / 1000
            while self._faults.find("log_slow") is slow and time.monotonic() < until:
                time.sleep(_STEP_SECONDS)
        return self._log.write(entries)
