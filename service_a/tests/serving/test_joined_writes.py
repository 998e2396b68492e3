import asyncio
from collections.abc import Callable

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.serving.joined_writes import Connection, JoinedWrites


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


def test_what_was_written_is_sent_once_when_it_is_not_to_wait_for_the_next_turn() -> None:
    def write_and_send(writes: JoinedWrites) -> None:
        writes.write(b"head")
        writes.write(b"body")
        writes.send()
        writes.write(b"next")

    assert run(write_and_send).sent == [b"headbody", b"next"]


def test_answer_is_sent_before_the_application_has_ended() -> None:
    async def answer() -> list[bytes]:
        transport = FakeTransport()
        sent_meanwhile: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()

        async def app(_: Scope, __: Receive, send: Send) -> None:
            headers = [(b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"ok"})
            sent_meanwhile.set_result(transport.sent.copy())

        config = uvicorn.Config(app, date_header=False, server_header=False)
        config.load()
        connection = Connection(config=config, server_state=ServerState(), app_state={})
        connection.connection_made(transport)
        connection.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        sent = await sent_meanwhile
        connection.connection_lost(None)
        return sent

    assert asyncio.run(answer()) == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]


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
