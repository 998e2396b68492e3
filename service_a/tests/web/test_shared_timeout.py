import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from gateway.web.json_body import Timeout
from gateway.web.shared_timeout import SharedTimeout

MakeTimeout = Callable[[float], Timeout]


class FakeClock(selectors.SelectSelector):
    """A selector that doesn't wait for the next timer: the time jumps to it."""

    seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.seconds += timeout or 0
        return super().select(0)


class FakeClockLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = FakeClock()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.seconds


def run(test: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=FakeClockLoop) as runner:
        runner.run(test)


@pytest.fixture(params=["plain", "fast"])
def make_timeout(request: pytest.FixtureRequest) -> MakeTimeout:
    if request.param == "plain":
        return lambda seconds: partial(asyncio.timeout, seconds)
    return SharedTimeout


async def wait(start_timeout: Timeout, seconds: float) -> str:
    async with start_timeout():
        await asyncio.sleep(seconds)
    return "done"


def test_what_is_in_time_goes_on(make_timeout: MakeTimeout) -> None:
    async def test() -> None:
        timeout = make_timeout(60)
        results = await asyncio.gather(*(wait(timeout, seconds) for seconds in (0, 1, 59)))
        assert results == ["done"] * 3

    run(test())


def test_each_task_has_its_own_time_when_they_begin_one_after_the_other(
    make_timeout: MakeTimeout,
) -> None:
    async def test() -> None:
        timeout = make_timeout(4)
        loop = asyncio.get_running_loop()

        async def wait_later(pause_seconds: float) -> float:
            await asyncio.sleep(pause_seconds)
            with pytest.raises(TimeoutError):
                await wait(timeout, 60)
            return loop.time()

        ends = await asyncio.gather(*(wait_later(pause) for pause in (0, 1, 1.5, 30)))
        assert ends == [4, 5, 5.5, 34]
        assert await wait(timeout, 3) == "done"

    run(test())


def test_a_task_can_go_on_after_it_was_late(make_timeout: MakeTimeout) -> None:
    async def test() -> None:
        timeout = make_timeout(1)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await wait(timeout, 60)
        assert await wait(timeout, 0) == "done"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(test())


def test_cancellation_from_elsewhere_stays_one(make_timeout: MakeTimeout) -> None:
    async def test() -> None:
        task = asyncio.create_task(wait(make_timeout(60), 60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(test())


def test_cancellation_from_elsewhere_stays_one_when_the_task_is_late_too(
    make_timeout: MakeTimeout,
) -> None:
    async def test() -> None:
        task = asyncio.create_task(wait(make_timeout(1), 60))
        await asyncio.sleep(0)
        # In the same turn of the loop as the timeout, which comes first.
        asyncio.get_running_loop().call_later(1, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run(test())


def test_an_error_inside_stays_what_it_is(make_timeout: MakeTimeout) -> None:
    async def test() -> None:
        with pytest.raises(KeyError):
            async with make_timeout(60)():
                raise KeyError("x")

    run(test())
