"""The batcher, with its real thread and a real event loop."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import TooBusy
from gateway.intake.batcher import Batcher
from tests.fake_clock import FakeClock


class FakeCall:
    """A flush that doubles numbers, remembers its batches, and can be held up.

    A negative number fails by itself, zero fails its whole batch.
    """

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.deadlines: list[float] = []
        self.most_at_once = 0
        self._under_way = 0
        self._lock = threading.Lock()
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()

    def __call__(self, items: Sequence[int], deadline: float) -> list[int | Exception]:
        self._enter(items, deadline)
        self.open.wait(60)
        with self._lock:
            self._under_way -= 1
        if 0 in items:
            raise ValueError("zero")
        return [KeyError(item) if item < 0 else item * 2 for item in items]

    def _enter(self, items: Sequence[int], deadline: float) -> None:
        with self._lock:
            self.batches.append(list(items))
            self.deadlines.append(deadline)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        self.entered.release()

    async def wait_until_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=60)


def make_batcher(
    call: FakeCall,
    max_batch: int = 4,
    max_waiting: int = 100,
    max_seconds: float = 60,
    **options: Any,
) -> Batcher[int, int]:
    return Batcher(
        call,
        name="test",
        max_batch=max_batch,
        max_waiting=max_waiting,
        max_seconds=max_seconds,
        **options,
    )


def test_an_item_is_passed_on_alone_when_nothing_else_is_there() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call)
        assert await batcher.submit(3) == 6
        assert await batcher.submit(4) == 8
        assert call.batches == [[3], [4]]
        await batcher.close()

    asyncio.run(run())


def test_what_arrives_during_a_flush_makes_up_the_next_in_order_and_within_bounds() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_batch=4)
        call.open.clear()
        first = asyncio.create_task(batcher.submit(1))
        await call.wait_until_entered()
        others = [asyncio.create_task(batcher.submit(number)) for number in range(2, 8)]
        await asyncio.sleep(0)
        call.open.set()
        assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10, 12, 14]
        assert call.batches == [[1], [2, 3, 4, 5], [6, 7]]
        await batcher.close()

    asyncio.run(run())


def test_each_item_has_an_error_of_its_own_when_its_batch_fails() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_batch=2)
        tasks = [asyncio.create_task(batcher.submit(number)) for number in (0, 1, 2, -3)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [ValueError, ValueError, int, KeyError]
        assert results[0] is not results[1]
        assert await batcher.submit(5) == 10
        await batcher.close()

    asyncio.run(run())


def test_callers_get_an_error_when_the_flush_returns_too_few_results() -> None:
    async def run() -> None:
        batcher: Batcher[int, int] = Batcher(
            lambda items, _: list(items[1:]),
            name="test",
            max_batch=4,
            max_waiting=4,
            max_seconds=60,
        )
        with pytest.raises(ValueError, match="0 results for 1 items"):
            await batcher.submit(1)
        await batcher.close()

    asyncio.run(run())


def test_an_item_is_refused_when_too_many_wait() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_waiting=2)
        call.open.clear()
        tasks = [asyncio.create_task(batcher.submit(1))]
        await call.wait_until_entered()
        tasks += [asyncio.create_task(batcher.submit(number)) for number in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await batcher.submit(4)
        call.open.set()
        assert await asyncio.gather(*tasks) == [2, 4, 6]
        await batcher.close()

    asyncio.run(run())


def test_an_item_is_dropped_when_its_caller_is_cancelled_while_it_waits() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call)
        call.open.clear()
        tasks = [asyncio.create_task(batcher.submit(1))]
        await call.wait_until_entered()
        tasks += [asyncio.create_task(batcher.submit(number)) for number in (2, 3)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # under way: its result is dropped
        tasks[1].cancel()  # waiting: it is never sent
        await asyncio.sleep(0)
        call.open.set()
        assert await tasks[2] == 6
        assert call.batches == [[1], [3]]
        await batcher.close()

    asyncio.run(run())


def test_as_many_batches_are_under_way_as_there_are_threads() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_batch=1, threads=2)
        call.open.clear()
        tasks = []
        for number in (1, 2):
            tasks.append(asyncio.create_task(batcher.submit(number)))
            await call.wait_until_entered()
        tasks += [asyncio.create_task(batcher.submit(number)) for number in range(3, 20)]
        await asyncio.sleep(0)
        call.open.set()
        assert await asyncio.gather(*tasks) == [number * 2 for number in range(1, 20)]
        assert call.most_at_once == 2
        await batcher.close()

    asyncio.run(run())


def test_every_thread_is_woken_when_more_than_one_batch_comes_at_once() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_batch=2, threads=3)
        call.open.clear()
        group = batcher.put(range(5, 10))
        for _ in range(3):
            await call.wait_until_entered()
        call.open.set()
        assert await group.future == [10, 12, 14, 16, 18]
        assert sorted(call.batches) == [[5, 6], [7, 8], [9]]
        await batcher.close()

    asyncio.run(run())


@pytest.mark.parametrize("threads", [1, 2])
def test_closing_finishes_what_waits(threads: int) -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_batch=1, threads=threads)
        tasks = [asyncio.create_task(batcher.submit(number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        await batcher.close()
        assert [task.result() for task in tasks] == [2, 4, 6]

    asyncio.run(run())


@given(
    numbers=st.lists(st.integers(-5, 20), max_size=60),
    max_batch=st.integers(1, 9),
    pauses=st.lists(st.booleans(), min_size=60, max_size=60),
    threads=st.integers(1, 3),
)
def test_every_item_gets_its_own_result_whatever_the_timing(
    numbers: list[int], max_batch: int, pauses: list[bool], threads: int
) -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_batch=max_batch, threads=threads)
        tasks = []
        for number, pause in zip(numbers, pauses, strict=False):
            tasks.append(asyncio.create_task(batcher.submit(number)))
            if pause:
                await asyncio.sleep(0)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await batcher.close()
        passed_on = [item for batch in call.batches for item in batch]
        assert passed_on == numbers if threads == 1 else sorted(passed_on) == sorted(numbers)
        assert all(len(batch) <= max_batch for batch in call.batches)
        failed = {number for batch in call.batches if 0 in batch for number in batch}
        for number, result in zip(numbers, results, strict=True):
            if isinstance(result, ValueError):
                assert number in failed
            elif isinstance(result, KeyError):
                assert number < 0
            else:
                assert result == number * 2

    asyncio.run(run())


def test_items_submitted_together_get_their_results_in_order_across_batches() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_batch=4)
        results = await batcher.put([1, 2, 3, 4, -5, 6]).future
        assert [repr(result) for result in results] == ["2", "4", "6", "8", "KeyError(-5)", "12"]
        assert call.batches == [[1, 2, 3, 4], [-5, 6]]
        assert await batcher.put([]).future == []
        await batcher.close()

    asyncio.run(run())


def test_only_their_batch_fails_when_items_were_submitted_together() -> None:
    async def run() -> None:
        batcher = make_batcher(FakeCall(), max_batch=2)
        results = await batcher.put([1, 2, 0, 3, 4]).future
        assert [type(result) for result in results] == [int, int, ValueError, ValueError, int]
        await batcher.close()

    asyncio.run(run())


def test_item_is_refused_when_it_waited_too_long_for_its_turn() -> None:
    async def run() -> None:
        call, clock = FakeCall(), FakeClock()
        batcher = make_batcher(call, max_wait_seconds=5, clock=clock)
        call.open.clear()
        first = asyncio.create_task(batcher.submit(1))
        await call.wait_until_entered()
        late = [asyncio.create_task(batcher.submit(number)) for number in (2, 3)]
        await asyncio.sleep(0)
        clock.now += 6
        call.open.set()
        assert await first == 2  # its call had begun
        for task in late:
            with pytest.raises(TooBusy):
                await task
        assert call.batches == [[1]]
        assert await batcher.submit(4) == 8
        await batcher.close()

    asyncio.run(run())


def test_item_is_not_refused_when_others_of_its_caller_have_had_their_turn_in_time() -> None:
    async def run() -> None:
        call, clock = FakeCall(), FakeClock()
        batcher = make_batcher(call, max_batch=2, max_wait_seconds=5, clock=clock)
        call.open.clear()
        begun = batcher.put([1, 2, 3, 4, 5])
        await call.wait_until_entered()
        late = batcher.put([6, 7, 8])
        clock.now += 6
        call.open.set()
        assert await begun.future == [2, 4, 6, 8, 10]
        assert [type(result) for result in await late.future] == [TooBusy] * 3
        assert call.batches == [[1, 2], [3, 4], [5]]
        await batcher.close()

    asyncio.run(run())


def test_flush_gets_the_time_at_which_the_last_of_its_items_is_given_up() -> None:
    async def run() -> None:
        call, clock = FakeCall(), FakeClock()
        batcher = make_batcher(call, max_seconds=60, clock=clock)
        call.open.clear()
        began = clock.now
        groups = [batcher.put([1])]
        await call.wait_until_entered()
        for number in (2, 3):
            clock.now += 1
            groups.append(batcher.put([number]))
        call.open.set()
        for group in groups:
            await group.future
        assert call.deadlines == [began + 60, began + 62]
        await batcher.close()

    asyncio.run(run())


def test_nobody_waits_longer_than_told_when_the_flush_hangs() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_seconds=0.05, threads=2)
        call.open.clear()
        tasks = []
        for number in (1, 2):
            tasks.append(asyncio.create_task(batcher.submit(number)))
            await call.wait_until_entered()
        tasks.append(asyncio.create_task(batcher.submit(3)))
        for task in tasks:
            with pytest.raises(TimeoutError):
                await task
        later = asyncio.create_task(batcher.submit(4))  # gets a time of its own
        with pytest.raises(TimeoutError):
            await later
        call.open.set()
        assert await batcher.submit(5) == 10
        assert call.batches == [[1], [2], [5]]
        await batcher.close()

    asyncio.run(run())


def test_who_came_first_is_given_up_first_whichever_thread_has_the_item() -> None:
    async def run() -> None:
        call, clock = FakeCall(), FakeClock()
        batcher = make_batcher(call, max_batch=1, max_seconds=0.05, threads=2, clock=clock)
        call.open.clear()
        older = batcher.put([1]).future
        await call.wait_until_entered()
        clock.now += 0.03
        younger = batcher.put([2]).future
        await call.wait_until_entered()
        clock.now += 0.02
        with pytest.raises(TimeoutError):
            await older
        assert not younger.done()
        clock.now += 0.03
        with pytest.raises(TimeoutError):
            await younger
        call.open.set()
        await batcher.close()

    asyncio.run(run())


def test_a_batch_has_no_more_callers_than_told_but_all_that_one_of_them_has() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_callers=2)
        call.open.clear()
        first = batcher.put([1]).future
        await call.wait_until_entered()
        others = [batcher.put(items).future for items in ([2], [3, 4], [5], [6, 7, 8, 9])]
        call.open.set()
        results = await asyncio.gather(first, *others)
        assert results == [[2], [4], [6, 8], [10], [12, 14, 16, 18]]
        assert call.batches == [[1], [2, 3, 4], [5, 6, 7, 8], [9]]
        await batcher.close()

    asyncio.run(run())


# A batcher that feeds another


def test_items_follow_the_one_before_them_into_another_batcher() -> None:
    async def run() -> None:
        first_call, call = FakeCall(), FakeCall()
        first, batcher = make_batcher(first_call), make_batcher(call)
        first_call.open.clear()
        group = first.put_before(7, batcher, [1, 2])
        await first_call.wait_until_entered()
        assert (call.batches, group.before) == ([], None)
        first_call.open.set()
        assert await group.future == [2, 4]
        assert group.before == 14
        assert (first_call.batches, call.batches) == ([[7]], [[1, 2]])
        await first.close()
        await batcher.close()

    asyncio.run(run())


def test_what_follows_one_batch_makes_up_one_batch() -> None:
    async def run() -> None:
        first_call, call = FakeCall(), FakeCall()
        first, batcher = make_batcher(first_call, max_batch=8), make_batcher(call, max_batch=8)
        first_call.open.clear()
        alone = first.put([1])
        await first_call.wait_until_entered()
        together = [first.put_before(number, batcher, [number, number]) for number in (2, 3, 4)]
        first_call.open.set()
        assert await alone.future == [2]
        assert [await group.future for group in together] == [[4, 4], [6, 6], [8, 8]]
        assert call.batches == [[2, 2, 3, 3, 4, 4]]
        await first.close()
        await batcher.close()

    asyncio.run(run())


def test_items_follow_without_a_turn_of_the_event_loop() -> None:
    async def run() -> None:
        first_call, call = FakeCall(), FakeCall()
        first, batcher = make_batcher(first_call), make_batcher(call)
        group = first.put_before(1, batcher, [2])
        await asyncio.sleep(0)  # wakes the first one's thread
        assert call.entered.acquire(timeout=60)  # in place of the loop, which stands still
        assert await group.future == [4]
        await first.close()
        await batcher.close()

    asyncio.run(run())


def test_every_thread_is_woken_when_more_than_one_batch_follows() -> None:
    async def run() -> None:
        call = FakeCall()
        first, batcher = make_batcher(FakeCall()), make_batcher(call, max_batch=2, threads=3)
        call.open.clear()
        group = first.put_before(1, batcher, range(5, 10))
        for _ in range(3):
            await call.wait_until_entered()
        call.open.set()
        assert await group.future == [10, 12, 14, 16, 18]
        assert sorted(call.batches) == [[5, 6], [7, 8], [9]]
        await first.close()
        await batcher.close()

    asyncio.run(run())


def test_nothing_follows_an_item_that_failed() -> None:
    async def run() -> None:
        call = FakeCall()
        first, batcher = make_batcher(FakeCall(), max_batch=1), make_batcher(call)
        groups = [first.put_before(number, batcher, [number]) for number in (-3, 0, 4)]
        with pytest.raises(KeyError):
            await groups[0].future
        with pytest.raises(ValueError, match="zero"):
            await groups[1].future
        assert await groups[2].future == [8]
        assert [group.before for group in groups] == [None, None, 8]
        assert call.batches == [[4]]
        await first.close()
        await batcher.close()

    asyncio.run(run())


def test_items_are_refused_when_too_many_wait_before_them_or_where_they_follow() -> None:
    async def run() -> None:
        first_call, call = FakeCall(), FakeCall()
        first = make_batcher(first_call, max_waiting=2)
        batcher = make_batcher(call, max_waiting=1)
        call.open.clear()
        under_way = batcher.put([1])
        await call.wait_until_entered()
        first_call.open.clear()
        taken = first.put_before(2, batcher, [2, 3])
        await first_call.wait_until_entered()
        later = [first.put_before(number, batcher, [number]) for number in (4, 5, 6)]
        with pytest.raises(TooBusy):
            await later[2].future
        first_call.open.set()
        for group in later[:2]:
            with pytest.raises(TooBusy):
                await group.future
        call.open.set()
        assert await under_way.future == [2]
        assert await taken.future == [4, 6]
        assert [group.before for group in later] == [8, 10, None]
        await first.close()
        await batcher.close()

    asyncio.run(run())


def test_item_before_others_is_dropped_when_their_caller_has_gone() -> None:
    async def run() -> None:
        first_call, call = FakeCall(), FakeCall()
        first, batcher = make_batcher(first_call), make_batcher(call)
        first_call.open.clear()
        under_way = first.put_before(1, batcher, [1])
        await first_call.wait_until_entered()
        waiting = first.put_before(2, batcher, [2])
        under_way.future.cancel()  # its item is done all the same, and nothing follows
        waiting.future.cancel()
        first_call.open.set()
        assert await first.submit(3) == 6
        assert await batcher.submit(4) == 8
        assert (first_call.batches, call.batches) == ([[1], [3]], [[4]])
        assert (under_way.before, waiting.before) == (2, None)
        await first.close()
        await batcher.close()

    asyncio.run(run())


def test_caller_does_not_wait_longer_than_the_item_before_its_own_may_take() -> None:
    async def run() -> None:
        first_call, call = FakeCall(), FakeCall()
        first, batcher = make_batcher(first_call, max_seconds=0.05), make_batcher(call)
        first_call.open.clear()
        group = first.put_before(1, batcher, [1])
        with pytest.raises(TimeoutError):
            await group.future
        assert group.before is None
        first_call.open.set()
        await first.close()
        await batcher.close()
        assert call.batches == []

    asyncio.run(run())


def test_items_have_a_time_of_their_own_when_they_follow() -> None:
    async def run() -> None:
        first_call, call = FakeCall(), FakeCall()
        first, batcher = make_batcher(first_call, max_seconds=0.05), make_batcher(call)
        call.open.clear()
        group = first.put_before(1, batcher, [1])
        await call.wait_until_entered()
        first_call.open.clear()
        with pytest.raises(TimeoutError):
            await first.put([2]).future  # which came later
        assert not group.future.done()
        first_call.open.set()
        call.open.set()
        assert await group.future == [2]
        await first.close()
        await batcher.close()

    asyncio.run(run())


@given(
    sizes=st.lists(st.integers(1, 4), max_size=40),
    pauses=st.lists(st.sampled_from([None, 0, 0.0005]), min_size=40, max_size=40),
    max_batch=st.integers(1, 5),
    threads=st.integers(1, 3),
)
def test_what_follows_is_answered_whatever_the_timing(
    sizes: list[int], pauses: list[float | None], max_batch: int, threads: int
) -> None:
    delays = iter(pauses)

    def take_a_while(items: Sequence[int], _: float) -> list[int]:
        if (pause := next(delays)) is not None:
            threading.Event().wait(pause)
        return list(items)

    async def run() -> None:
        first: Batcher[int, int] = Batcher(
            take_a_while, name="first", max_batch=max_batch, max_waiting=100, max_seconds=60
        )
        batcher = make_batcher(FakeCall(), threads=threads)
        groups = [first.put_before(size, batcher, range(1, size + 1)) for size in sizes]
        own = [batcher.put([9]) for _ in range(5)]
        async with asyncio.timeout(60):
            results = [await group.future for group in groups]
            assert [await group.future for group in own] == [[18]] * 5
        assert results == [[number * 2 for number in range(1, size + 1)] for size in sizes]
        assert [group.before for group in groups] == sizes
        await first.close()
        await batcher.close()

    asyncio.run(run())
