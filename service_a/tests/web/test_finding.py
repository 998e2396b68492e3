import asyncio

import pytest

from gateway.errors import InputLogUnavailable
from gateway.web.finding import Finding


class FakeLook:
    """Finds how often it has looked, after a moment."""

    def __init__(self, error: Exception | None = None) -> None:
        self.looks = 0
        self.error = error

    async def __call__(self) -> int:
        self.looks += 1
        await asyncio.sleep(0.01)
        if self.error:
            raise self.error
        return self.looks


def test_looking_takes_no_more_than_a_share_of_the_time() -> None:
    look = FakeLook()

    async def run() -> None:
        finding = Finding(look, 0, 0.05)
        for _ in range(5):
            assert await finding.look_for(10) == 1

    asyncio.run(run())
    assert look.looks == 1


def test_those_who_ask_at_once_have_it_looked_at_once() -> None:
    look = FakeLook()

    async def run() -> list[int]:
        finding = Finding(look, 0)
        return await asyncio.gather(*[finding.look_for(10) for _ in range(5)])

    assert asyncio.run(run()) == [1] * 5
    assert look.looks == 1


def test_what_was_found_before_counts_when_a_look_takes_too_long() -> None:
    async def run() -> tuple[int, int]:
        finding = Finding(FakeLook(), 0)
        return await finding.look_for(0), await finding.look_for(10)

    assert asyncio.run(run()) == (0, 1)


def test_what_was_found_before_counts_when_a_look_fails() -> None:
    async def run() -> int:
        return await Finding(FakeLook(InputLogUnavailable()), 0).look_for(10)

    assert asyncio.run(run()) == 0


def test_mistake_in_a_look_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> int:
        return await Finding(FakeLook(ZeroDivisionError()), 0).look_for(10)

    assert asyncio.run(run()) == 0
    assert [each.exc_info and each.exc_info[0] for each in caplog.records] == [ZeroDivisionError]
