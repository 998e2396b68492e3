import asyncio
import time
from collections.abc import Sequence

import pytest

from gateway.errors import InputLogUnavailable
from gateway.faults import Fault, Faults, SlowFault
from gateway.input_log.faulty_log import KINDS, FaultyLog
from gateway.intake.entries import Entry, NewInput, OutcomeKind


class FakeLog:
    def write(self, entries: Sequence[Entry]) -> Sequence[int]:
        return [7 for _ in entries]


def write(**in_force: Fault) -> Sequence[int]:
    async def run() -> Sequence[int]:
        faults = Faults(KINDS)
        for kind, fault in in_force.items():
            faults.begin(kind, fault)
        return FaultyLog(FakeLog(), faults).write([NewInput("r1", "1", OutcomeKind.LOGGED)])

    return asyncio.run(run())


def test_log_is_written_when_no_fault_is_in_force() -> None:
    assert write() == [7]


def test_nothing_is_written_when_the_log_is_full() -> None:
    with pytest.raises(InputLogUnavailable, match="log_full"):
        write(log_full=Fault(seconds=1))


def test_write_takes_longer_when_the_log_is_slow() -> None:
    began = time.monotonic()

    assert write(log_slow=SlowFault(seconds=1, ms=30)) == [7]

    assert time.monotonic() - began >= 0.03
