import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.errors import TooManyWatchers
from gateway.telemetry import events
from gateway.telemetry.events import MAX_QUEUED, MAX_WATCHERS, Watchers


async def read(stream: AsyncIterator[bytes]) -> str:
    return (await anext(stream)).decode()


def test_events_come_numbered_and_as_json_to_all_that_watch() -> None:
    async def run() -> list[str]:
        watchers = Watchers()
        both = [watchers.join() for _ in range(2)]
        watchers.publish("call", {"call": 1, "text": "a\nb"})
        watchers.publish("state", {})
        return [await read(each.read()) for each in both]

    first, second = asyncio.run(run())

    assert first == second
    assert first == (
        'event: call\ndata: {"call":1,"text":"a\\nb"}\nid: 1\n\nevent: state\ndata: {}\nid: 2\n\n'
    )


def test_events_of_a_thread_come_too() -> None:
    async def run() -> str:
        watchers = Watchers()
        watcher = watchers.join()
        await asyncio.to_thread(watchers.publish_from_thread, "call", {"call": 1})
        return await read(watcher.read())

    assert asyncio.run(run()).startswith("event: call\n")


def test_watchers_are_false_while_nobody_watches() -> None:
    async def run() -> list[bool]:
        watchers = Watchers()
        before = bool(watchers)
        watcher = watchers.join()
        during = bool(watchers)
        watchers.leave(watcher)
        return [before, during, bool(watchers)]

    assert asyncio.run(run()) == [False, True, False]


def test_no_more_than_so_many_watch_until_one_leaves() -> None:
    async def run() -> None:
        watchers = Watchers()
        all_watchers = [watchers.join() for _ in range(MAX_WATCHERS)]
        with pytest.raises(TooManyWatchers):
            watchers.join()
        watchers.leave(all_watchers[0])
        watchers.join()

    asyncio.run(run())


def test_full_queue_drops_its_oldest_and_says_how_many() -> None:
    async def run() -> str:
        watchers = Watchers()
        watcher = watchers.join()
        for number in range(1, MAX_QUEUED + 4):
            watchers.publish("call", {"call": number})
        return await read(watcher.read())

    dropped, *kept = asyncio.run(run()).removesuffix("\n\n").split("\n\n")

    assert dropped == 'event: dropped\ndata: {"dropped":3}\nid: 3'
    assert len(kept) == MAX_QUEUED
    assert kept[0] == 'event: call\ndata: {"call":4}\nid: 4'


def test_comment_comes_when_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_KEEP_ALIVE_SECONDS", 0.01)

    async def run() -> str:
        return await read(Watchers().join().read())

    assert asyncio.run(run()) == ": ping\n\n"


def test_streams_end_with_what_is_left_when_the_service_stops() -> None:
    async def run() -> list[bytes]:
        watchers = Watchers()
        watcher = watchers.join()
        watchers.publish("state", {})
        watchers.close()
        with pytest.raises(TooManyWatchers):
            watchers.join()
        return [chunk async for chunk in watcher.read()]

    assert asyncio.run(run()) == [b"event: state\ndata: {}\nid: 1\n\n"]
