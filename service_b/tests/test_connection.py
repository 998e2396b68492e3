import asyncio
from collections.abc import Callable

from predictor.connection import JoinedWrites


class FakeTransport(asyncio.Transport):
    """Remembers what was sent."""

    def __init__(self) -> None:
        super().__init__({"peername": ("203.0.113.7", 50000)})
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def run(use: Callable[[JoinedWrites], None]) -> FakeTransport:
    """Use the writes in one turn of the loop, and wait for the next one."""
    transport = FakeTransport()

    async def turn() -> None:
        use(JoinedWrites(transport))
        await asyncio.sleep(0)

    asyncio.run(turn())
    return transport


def test_what_is_written_in_one_turn_is_sent_in_one_piece() -> None:
    async def write_in_two_turns() -> list[bytes]:
        transport = FakeTransport()
        writes = JoinedWrites(transport)
        writes.write(b"head")
        writes.write(b"body")
        assert transport.sent == []
        await asyncio.sleep(0)
        writes.write(b"next")
        await asyncio.sleep(0)
        return transport.sent

    assert asyncio.run(write_in_two_turns()) == [b"headbody", b"next"]


def test_what_was_written_is_sent_before_the_connection_is_closed() -> None:
    def write_and_close(writes: JoinedWrites) -> None:
        writes.write(b"answer")
        writes.close()

    transport = run(write_and_close)

    assert transport.sent == [b"answer"]
    assert transport.closed


def test_nothing_is_sent_when_the_caller_has_gone_meanwhile() -> None:
    def write_and_lose(writes: JoinedWrites) -> None:
        writes.write(b"answer")
        writes._transport.close()

    assert run(write_and_lose).sent == []


def test_everything_else_is_the_transport_s_own() -> None:
    def look(writes: JoinedWrites) -> None:
        assert writes.get_extra_info("peername") == ("203.0.113.7", 50000)
        assert not writes.is_closing()

    run(look)
