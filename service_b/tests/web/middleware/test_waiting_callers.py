import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope, Send

from predictor.shadow.calls_under_way import CallsUnderWay
from predictor.web.middleware.waiting_callers import WaitingCallers

PIECES: list[Message] = [
    {"type": "http.request", "body": b"{", "more_body": True},
    {"type": "http.request", "body": b"}", "more_body": False},
]


async def ignore(_: Message) -> None:
    pass


def run(calls: CallsUnderWay, messages: list[Message]) -> list[int]:
    """Have an application read a body; return the number under way before, during and after."""
    counts: list[int] = []
    coming = iter(messages)

    async def receive() -> Message:
        counts.append(calls._count)
        return next(coming)

    async def read(scope: Scope, receive: Receive, _: Send) -> None:
        await Request(scope, receive).body()
        counts.append(calls._count)

    asyncio.run(WaitingCallers(read, calls)({"type": "http"}, receive, ignore))
    return [*counts, calls._count]


def test_call_is_under_way_from_the_end_of_its_body_to_the_end_of_its_answer() -> None:
    assert run(CallsUnderWay(), PIECES) == [0, 0, 1, 0]


def test_call_never_is_under_way_when_its_caller_leaves_before_the_end_of_the_body() -> None:
    calls = CallsUnderWay()
    with pytest.raises(ClientDisconnect):
        run(calls, [PIECES[0], {"type": "http.disconnect"}])
    assert calls._count == 0


def test_call_is_over_when_it_fails() -> None:
    calls = CallsUnderWay()

    async def receive() -> Message:
        return PIECES[1]

    async def fail(_: Scope, receive: Receive, __: Send) -> None:
        await receive()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(WaitingCallers(fail, calls)({"type": "http"}, receive, ignore))
    assert calls._count == 0
