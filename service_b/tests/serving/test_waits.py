import asyncio
import time

import pytest

from predictor.serving import waits as waits_module
from predictor.serving.waits import KEEP_ALIVE_SECONDS, LEAVE_SECONDS, MAX_UNREAD_BYTES, Waits

HEAD_SECONDS = 15
BODY_SECONDS = 5


class FakeWaiter:
    """Remembers what became of it."""

    def __init__(self) -> None:
        self.given_up = 0
        self.dropped = 0
        self.unread = 0

    def count_unread(self) -> int:
        return self.unread

    def give_up(self) -> None:
        self.given_up += 1

    def give_up_body(self) -> None:
        self.given_up += 1

    def give_way(self) -> None:
        self.given_up += 1

    def drop(self) -> None:
        self.dropped += 1


@pytest.fixture
def waits() -> Waits:
    return Waits(HEAD_SECONDS, BODY_SECONDS)


def test_waiter_gives_up_once_when_its_time_is_over(waits: Waits) -> None:
    early, late = FakeWaiter(), FakeWaiter()
    waits.unfinished[early] = 100.0
    waits.unfinished[late] = 101.0

    given_up = []
    for now in (100.0 + HEAD_SECONDS, 100.5 + HEAD_SECONDS, 101.5 + HEAD_SECONDS, 200.0):
        waits.end_late(now)
        given_up.append((early.given_up, late.given_up))

    assert given_up == [(0, 0), (1, 0), (1, 1), (1, 1)]


def test_each_wait_has_its_own_time(waits: Waits) -> None:
    idle, leaving, body = FakeWaiter(), FakeWaiter(), FakeWaiter()
    waits.idle[idle] = waits.leaving[leaving] = waits.bodies[body] = 100.0

    given_up = []
    for seconds in (LEAVE_SECONDS, BODY_SECONDS, KEEP_ALIVE_SECONDS):
        waits.end_late(100.5 + seconds)
        given_up.append((leaving.given_up, body.given_up, idle.given_up))

    assert given_up == [(1, 0, 0), (1, 1, 0), (1, 1, 1)]


def test_waiter_may_begin_another_wait_when_it_gives_up(waits: Waits) -> None:
    class Refusing(FakeWaiter):
        def give_up(self) -> None:
            super().give_up()
            waits.leaving[self] = 200.0

    waiter = Refusing()
    waits.unfinished[waiter] = 100.0

    waits.end_late(200.0)

    assert waiter.given_up == 1
    assert waiter in waits.leaving


def test_those_slowest_to_take_their_answers_are_dropped_when_all_keep_too_much(
    waits: Waits,
) -> None:
    waiters = [FakeWaiter() for _ in range(4)]
    for waiter in waiters:
        waiter.unread = MAX_UNREAD_BYTES // 3
        waits.unread[waiter] = 100.0
        waits.bound_unread()

    assert [each.dropped for each in waiters] == [1, 0, 0, 0]
    assert list(waits.unread) == waiters[1:]


def test_waiter_whose_caller_has_sent_all_waits_no_longer(waits: Waits) -> None:
    waiter = FakeWaiter()
    waits.unfinished[waiter] = waits.bodies[waiter] = 100.0

    waits.end(waiter)
    waits.end_late(1000.0)

    assert waiter.given_up == 0


def test_idle_waiters_make_room_first_and_of_them_the_oldest(waits: Waits) -> None:
    unfinished, old, new = FakeWaiter(), FakeWaiter(), FakeWaiter()
    waits.unfinished[unfinished] = 100.0
    waits.idle[old] = 101.0
    waits.idle[new] = 102.0

    dropped = []
    for _ in range(3):
        assert waits.make_room()
        dropped.append((old.dropped, new.dropped, unfinished.dropped))

    assert dropped == [(1, 0, 0), (1, 1, 0), (1, 1, 1)]
    assert not waits.make_room()


def test_timer_looks_again_and_again(waits: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits_module, "_CHECK_SECONDS", 0.001)
    ended = asyncio.Event()

    class Ending(FakeWaiter):
        def give_up(self) -> None:
            super().give_up()
            ended.set()

    async def wait_twice() -> None:
        waits.watch()
        for _ in range(2):
            ended.clear()
            waits.unfinished[Ending()] = time.monotonic() - 2 * HEAD_SECONDS
            async with asyncio.timeout(30):
                await ended.wait()

    asyncio.run(wait_twice())
