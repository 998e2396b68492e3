import asyncio

import pytest

from gateway.web.shared_timeout import SharedTimeout


async def answer(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


def test_what_is_in_time_is_returned() -> None:
    async def run() -> None:
        timeout = SharedTimeout(60)
        results = await asyncio.gather(*(timeout.wait_for(answer(0)) for _ in range(3)))
        assert results == ["done"] * 3

    asyncio.run(run())


def test_each_one_has_its_own_time_when_they_begin_one_after_the_other() -> None:
    async def run() -> None:
        timeout = SharedTimeout(0.2)
        began = asyncio.get_running_loop().time()

        async def wait(pause_seconds: float) -> float:
            await asyncio.sleep(pause_seconds)
            with pytest.raises(TimeoutError):
                await timeout.wait_for(asyncio.sleep(60))
            return asyncio.get_running_loop().time() - began - pause_seconds

        waited = await asyncio.gather(*(wait(pause) for pause in (0, 0.1, 0.15)))
        assert all(seconds >= 0.19 for seconds in waited)
        assert await timeout.wait_for(answer(0)) == "done"

    asyncio.run(run())


def test_a_task_can_go_on_after_it_was_late() -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            await SharedTimeout(0.01).wait_for(asyncio.sleep(60))
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(run())


def test_cancellation_from_elsewhere_stays_one() -> None:
    async def run() -> None:
        task = asyncio.create_task(SharedTimeout(60).wait_for(asyncio.sleep(60)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_an_error_of_the_coroutine_is_its_own() -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(SharedTimeout(60).wait_for(fail()))
