"""Which lane a model gets, and which one goes when there is no room for one more."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from gateway.intake.forward_queue import make_forward_queue
from gateway.intake.lanes import Lane, Lanes
from tests.intake.test_intake import FakeBreaker, FakeCounts, FakePredictor

NAMES = [f"m{number}" for number in range(32)]


def with_lanes(use: Callable[[Lanes, list[str | None]], None]) -> None:
    """Use lanes, and a list of the models for which one was made."""

    async def run() -> None:
        made: list[str | None] = []

        def make_lane(model: str | None) -> Lane:
            made.append(model)
            queue = make_forward_queue(
                FakePredictor(),
                FakeCounts(),
                timeout_seconds=10,
                max_batch=10,
                calls_at_once=2,
                max_waiting=10,
            )
            return Lane(queue, FakeBreaker())

        lanes = Lanes(make_lane)
        try:
            use(lanes, made)
        finally:
            await lanes.close()

    asyncio.run(run())


def find(lanes: Lanes, model: str | None) -> Lane:
    lane = lanes.find(model)
    assert lane is not None
    return lane


def test_each_model_keeps_a_lane_of_its_own() -> None:
    def use(lanes: Lanes, made: list[str | None]) -> None:
        first = [lanes.find(name) for name in (None, *NAMES)]

        assert len(set(first)) == 33
        assert [lanes.find(name) for name in (None, *NAMES)] == first
        assert made == [None, *NAMES]

    with_lanes(use)


def test_no_more_models_have_lanes_and_threads_than_there_is_room_for() -> None:
    def use(lanes: Lanes, _: list[str | None]) -> None:
        for number in range(500):
            lanes.find(f"name-{number}")

        assert lanes.read_circuits().keys() == {f"name-{number}" for number in range(468, 500)}

    with_lanes(use)
    for thread in threading.enumerate():
        if thread.name == "forward":
            thread.join(60)
            assert not thread.is_alive()


def test_name_that_service_b_never_answered_for_goes_before_the_others() -> None:
    def use(lanes: Lanes, _: list[str | None]) -> None:
        for name in NAMES:
            find(lanes, name).confirmed = name != "m7"
        lanes.find("new")
        lanes.find("newer")

        assert "m7" not in lanes.read_circuits()
        assert "new" not in lanes.read_circuits()
        assert set(NAMES) - {"m7"} < lanes.read_circuits().keys()

    with_lanes(use)


def test_least_recently_used_goes_when_there_is_no_room_and_nobody_waits_in_it() -> None:
    def use(lanes: Lanes, _: list[str | None]) -> None:
        for number in range(128):
            find(lanes, f"m{number}").confirmed = True
        lanes.find("m0")
        find(lanes, "m1").callers = 1
        lanes.find("new")

        assert "m2" not in lanes.read_circuits()
        assert {"m0", "m1", "m3", "new"} < lanes.read_circuits().keys()

    with_lanes(use)


@pytest.mark.parametrize("confirmed", [True, False])
def test_model_that_somebody_waits_for_keeps_its_lane(confirmed: bool) -> None:
    def use(lanes: Lanes, made: list[str | None]) -> None:
        names = [f"m{number}" for number in range(128)]
        for name in names:
            find(lanes, name).callers = 1
            find(lanes, name).confirmed = confirmed

        assert lanes.find("new") is None
        assert lanes.find(None) is not None
        assert lanes.read_circuits().keys() == set(names)
        assert made == [None, *names]

        find(lanes, "m3").callers = 0
        assert lanes.find("new") is not None
        assert "m3" not in lanes.read_circuits()

    with_lanes(use)


def test_open_circuit_outlives_the_wait_for_it() -> None:
    def use(lanes: Lanes, _: list[str | None]) -> None:
        find(lanes, "hangs").breaker = FakeBreaker(admits=False)
        for number in range(100):
            lanes.find(f"name-{number}")

        assert lanes.read_circuits()["hangs"] == "open"

    with_lanes(use)
