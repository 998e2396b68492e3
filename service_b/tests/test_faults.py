import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from predictor.errors import FaultUnknown
from predictor.faults import Fault, Faults, PartialFault, SlowFault

KINDS: dict[str, type[Fault]] = {"plain": Fault, "slow": SlowFault, "partial": PartialFault}


def test_fault_is_in_force_until_it_is_ended() -> None:
    async def run() -> list[Any]:
        faults = Faults(KINDS)
        fault = Fault(seconds=300)
        faults.begin("plain", fault)
        found = [faults.find("plain") is fault, faults.describe()]
        faults.end("plain")
        faults.end("plain")
        return [*found, faults.find("plain"), faults.describe()]

    assert asyncio.run(run()) == [True, [{"kind": "plain", "seconds": 300.0}], None, []]


def test_fault_ends_by_itself_and_whoever_waits_goes_on() -> None:
    async def run() -> None:
        faults = Faults(KINDS)
        faults.begin("plain", Fault.model_construct(seconds=0.01))
        await asyncio.wait_for(faults.wait("plain"), 10)
        assert faults.find("plain") is None

    asyncio.run(run())


def test_fault_that_is_asked_for_again_takes_the_place_of_the_first() -> None:
    async def run() -> list[dict[str, Any]]:
        faults = Faults(KINDS)
        faults.begin("slow", SlowFault.model_construct(seconds=0.01, ms=1))
        faults.begin("slow", SlowFault(seconds=20, ms=2))
        await asyncio.sleep(0.02)
        return faults.describe()

    assert asyncio.run(run()) == [{"kind": "slow", "seconds": 20.0, "ms": 2.0}]


def test_all_end_together_when_the_service_stops() -> None:
    async def run() -> None:
        faults = Faults(KINDS)
        faults.begin("plain", Fault(seconds=300))
        faults.begin("partial", PartialFault(seconds=300, share=1))
        waiting = asyncio.create_task(faults.wait("plain"))
        await asyncio.sleep(0)
        faults.end_all()
        await asyncio.wait_for(waiting, 10)
        assert faults.describe() == []

    asyncio.run(run())


def test_nobody_waits_longer_than_asked_or_for_what_is_not_in_force() -> None:
    async def run() -> None:
        faults = Faults(KINDS)
        await faults.wait("plain")
        faults.begin("plain", Fault(seconds=300))
        await faults.wait("plain", 0.001)

    asyncio.run(asyncio.wait_for(run(), 10))


def test_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(FaultUnknown, match=r"The kinds are plain, slow, partial$"):
        Faults(KINDS).find_kind("other")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Fault, {}),
        (Fault, {"seconds": 0.5}),
        (Fault, {"seconds": 301}),
        (Fault, {"seconds": True}),
        (Fault, {"seconds": 5, "ms": 5}),
        (SlowFault, {"seconds": 5}),
        (SlowFault, {"seconds": 5, "ms": 10_001}),
        (PartialFault, {"seconds": 5, "share": 0}),
        (PartialFault, {"seconds": 5, "share": 1.1}),
    ],
)
def test_wrong_body_is_refused(kind: type[Fault], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate(body)
