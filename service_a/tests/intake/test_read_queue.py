"""The queue before what uses the log beside its writer, with its real threads."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest

from gateway.errors import InputLogUnavailable, InputNotFound, TooManyExports
from gateway.intake import read_queue as module
from gateway.intake.read_queue import MAX_EXPORTS, ReadQueue


def run(use: Callable[[ReadQueue], Awaitable[None]]) -> None:
    async def run_and_close() -> None:
        queue = ReadQueue()
        try:
            await use(queue)
        finally:
            await queue.close()

    asyncio.run(run_and_close())


def test_page_is_read_while_any_number_of_exports_take_long() -> None:
    may_end = threading.Event()

    async def use(queue: ReadQueue) -> None:
        exports = [
            asyncio.create_task(queue.read_part(lambda: may_end.wait(60))) for _ in range(50)
        ]
        await asyncio.sleep(0)

        assert await queue.read(lambda: "page") == "page"

        assert not any(export.done() for export in exports)
        may_end.set()
        assert all(await asyncio.gather(*exports))

    run(use)


def test_so_many_exports_are_under_way_at_most() -> None:
    async def use(queue: ReadQueue) -> None:
        with ExitStack() as exports:
            for _ in range(MAX_EXPORTS):
                exports.enter_context(queue.export())
            with pytest.raises(TooManyExports), queue.export():
                pass
        with queue.export():
            pass

    run(use)


def test_one_at_a_time_writes_and_no_read_waits_for_it() -> None:
    may_end = threading.Event()
    under_way: list[int] = []
    most = 0

    def write() -> None:
        nonlocal most
        under_way.append(1)
        most = max(most, len(under_way))
        may_end.wait(60)
        under_way.pop()

    async def use(queue: ReadQueue) -> None:
        writes = [asyncio.create_task(queue.record(write)) for _ in range(5)]
        await asyncio.sleep(0)

        assert await queue.read(lambda: "page") == "page"
        assert await queue.read_part(lambda: "part") == "part"

        may_end.set()
        await asyncio.gather(*writes)

    run(use)
    assert most == 1


def test_error_of_a_read_is_its_own() -> None:
    def fail() -> None:
        raise InputNotFound("r1")

    async def use(queue: ReadQueue) -> None:
        with pytest.raises(InputNotFound):
            await queue.read(fail)

    run(use)


def test_caller_is_told_when_the_log_can_not_be_read_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_SECONDS", 0.1)
    may_end = threading.Event()

    async def use(queue: ReadQueue) -> None:
        with pytest.raises(InputLogUnavailable, match="did not answer in time"):
            await queue.read(lambda: may_end.wait(60))
        may_end.set()

    run(use)


def test_queue_is_closed_though_a_read_hangs() -> None:
    may_end = threading.Event()

    async def close_while_it_reads() -> None:
        queue = ReadQueue()
        reading = asyncio.create_task(queue.read(lambda: may_end.wait(60)))
        await asyncio.sleep(0)
        await queue.close()
        with pytest.raises(InputLogUnavailable, match="stopping"):
            await reading
        may_end.set()

    asyncio.run(close_while_it_reads())
