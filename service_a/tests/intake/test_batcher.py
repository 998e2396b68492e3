"""The batcher, with its real thread and a real event loop."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import TooBusy
from gateway.intake.batcher import Batcher


class FakeCall:
    """A flush that doubles numbers, remembers its batches, and can be held up.

    A negative number fails by itself, zero fails its whole batch.
    """

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.entered.release()
        self.open.wait(10)
        if 0 in items:
            raise ValueError("zero")
        return [KeyError(item) if item < 0 else item * 2 for item in items]

    async def wait_until_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=10)


def make_batcher(
    call: FakeCall, max_batch: int = 4, max_waiting: int = 100, threads: int = 1
) -> Batcher[int, int]:
    return Batcher(
        call,
        name="test",
        max_batch=max_batch,
        max_waiting=max_waiting,
        max_seconds=60,
        threads=threads,
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
            lambda items: list(items[1:]), name="test", max_batch=4, max_waiting=4, max_seconds=60
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
        batcher = make_batcher(call, threads=2)
        call.open.clear()
        tasks = []
        for number in (1, 2):
            tasks.append(asyncio.create_task(batcher.submit(number)))
            await call.wait_until_entered()
        tasks += [asyncio.create_task(batcher.submit(number)) for number in (3, 4)]
        await asyncio.sleep(0.05)
        assert call.batches == [[1], [2]]
        call.open.set()
        assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
        assert call.batches == [[1], [2], [3, 4]]
        await batcher.close()

    asyncio.run(run())


@pytest.mark.parametrize("from_a_thread", [False, True])
def test_every_thread_is_woken_when_more_than_one_batch_comes_at_once(from_a_thread: bool) -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_batch=2, threads=3)
        call.open.clear()
        group = batcher.expect(5)
        if from_a_thread:
            await asyncio.to_thread(batcher.add, [(group, range(5, 10))])
            future = batcher.wait(group)
        else:
            future = batcher.put(range(5, 10))
        for _ in range(3):
            await call.wait_until_entered()
        call.open.set()
        assert await future == [10, 12, 14, 16, 18]
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
        results = await batcher.put([1, 2, 3, 4, -5, 6])
        assert [repr(result) for result in results] == ["2", "4", "6", "8", "KeyError(-5)", "12"]
        assert call.batches == [[1, 2, 3, 4], [-5, 6]]
        assert await batcher.put([]) == []
        await batcher.close()

    asyncio.run(run())


def test_only_their_batch_fails_when_items_were_submitted_together() -> None:
    async def run() -> None:
        batcher = make_batcher(FakeCall(), max_batch=2)
        results = await batcher.put([1, 2, 0, 3, 4])
        assert [type(result) for result in results] == [int, int, ValueError, ValueError, int]
        await batcher.close()

    asyncio.run(run())


def test_item_is_refused_when_it_waited_too_long_for_its_turn() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher: Batcher[int, int] = Batcher(
            call, name="test", max_batch=4, max_waiting=100, max_seconds=60, max_wait_seconds=0.01
        )
        call.open.clear()
        first = asyncio.create_task(batcher.submit(1))
        await call.wait_until_entered()
        late = [asyncio.create_task(batcher.submit(number)) for number in (2, 3)]
        await asyncio.sleep(0.05)
        call.open.set()
        assert await first == 2  # its call had begun
        for task in late:
            with pytest.raises(TooBusy):
                await task
        assert call.batches == [[1]]
        assert await batcher.submit(4) == 8
        await batcher.close()

    asyncio.run(run())


def test_nobody_waits_longer_than_told_when_the_flush_hangs() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher: Batcher[int, int] = Batcher(
            call, name="test", max_batch=4, max_waiting=100, max_seconds=0.05, threads=2
        )
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
        call = FakeCall()
        batcher: Batcher[int, int] = Batcher(
            call, name="test", max_batch=1, max_waiting=100, max_seconds=0.5, threads=2
        )
        assert await batcher.submit(1) == 2  # it began the time after which to look again
        call.open.clear()
        await call.wait_until_entered()
        await asyncio.sleep(0.1)
        older = batcher.put([2])
        await call.wait_until_entered()
        await asyncio.sleep(0.2)
        younger = batcher.put([3])
        await call.wait_until_entered()
        with pytest.raises(TimeoutError):
            await older
        assert not younger.done()
        with pytest.raises(TimeoutError):
            await younger
        call.open.set()
        await batcher.close()

    asyncio.run(run())


def test_a_batch_has_no_more_callers_than_told_but_all_that_one_of_them_has() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher: Batcher[int, int] = Batcher(
            call, name="test", max_batch=4, max_waiting=100, max_seconds=60, max_callers=2
        )
        call.open.clear()
        first = batcher.put([1])
        await call.wait_until_entered()
        others = [batcher.put(items) for items in ([2], [3, 4], [5], [6, 7, 8, 9])]
        call.open.set()
        results = await asyncio.gather(first, *others)
        assert results == [[2], [4], [6, 8], [10], [12, 14, 16, 18]]
        assert call.batches == [[1], [2, 3, 4], [5, 6, 7, 8], [9]]
        await batcher.close()

    asyncio.run(run())


@given(
    sizes=st.lists(st.integers(1, 4), max_size=40),
    pauses=st.lists(st.sampled_from([None, 0, 0.0005]), min_size=40, max_size=40),
    threads=st.integers(1, 3),
)
def test_what_another_thread_brings_is_answered_whatever_the_timing(
    sizes: list[int], pauses: list[float | None], threads: int
) -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, threads=threads)
        groups = [batcher.expect(size) for size in sizes]

        def bring() -> None:
            for group, size, pause in zip(groups, sizes, pauses, strict=False):
                batcher.add([(group, range(1, size + 1))])
                if pause is not None:
                    threading.Event().wait(pause)

        bringing = asyncio.create_task(asyncio.to_thread(bring))
        own = [asyncio.create_task(batcher.submit(9)) for _ in range(5)]
        async with asyncio.timeout(10):
            results = [await batcher.wait(group) for group in groups]
            assert await asyncio.gather(*own) == [18] * 5
        await bringing
        batcher.add([])
        assert await batcher.wait(batcher.expect(0)) == []
        await batcher.close()
        assert results == [[number * 2 for number in range(1, size + 1)] for size in sizes]

    asyncio.run(run())


def test_what_another_thread_brings_is_refused_when_too_many_wait() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call, max_waiting=1)
        call.open.clear()
        first = asyncio.create_task(batcher.submit(1))
        await call.wait_until_entered()
        taken, refused = batcher.expect(2), batcher.expect(1)
        await asyncio.to_thread(batcher.add, [(taken, [2, 3]), (refused, [4])])
        with pytest.raises(TooBusy):
            await batcher.wait(refused)
        call.open.set()
        assert await first == 2
        assert await batcher.wait(taken) == [4, 6]
        await batcher.close()

    asyncio.run(run())


def test_what_nobody_waits_for_any_more_is_dropped_when_it_comes() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call)
        group = batcher.expect(1)
        group.future.cancel()
        batcher.add([(group, [1])])
        assert await batcher.submit(2) == 4
        assert call.batches == [[2]]
        await batcher.close()

    asyncio.run(run())


def test_what_comes_after_a_step_has_a_time_of_its_own() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call)
        call.open.clear()
        group = batcher.expect(1)

        def pass_on(_: Sequence[str]) -> list[str]:
            batcher.add([(group, [1])])
            return ["passed on"]

        first: Batcher[str, str] = Batcher(
            pass_on, name="first", max_batch=4, max_waiting=4, max_seconds=0.05
        )
        first.put_before("step", group)
        await call.wait_until_entered()
        await asyncio.sleep(0.2)
        assert not group.future.done()
        call.open.set()
        assert await batcher.wait(group) == [2]
        await first.close()
        await batcher.close()

    asyncio.run(run())


def test_a_group_is_told_of_the_step_before_it_only_if_that_fails() -> None:
    async def run() -> None:
        call = FakeCall()
        batcher = make_batcher(call)
        group = batcher.expect(1)
        batcher.put_before(3, group)
        assert await batcher.submit(4) == 8
        assert not group.future.done()
        batcher.put_before(-3, group)
        with pytest.raises(KeyError):
            await group.future
        await batcher.close()

    asyncio.run(run())
