import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from predictor.serving.http_protocol import HTTPProtocol
from predictor.serving.joined_writes import JoinedWrites, JoinedWritesProtocol
from predictor.serving.limits import Limits


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

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


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


Sent = list[bytes]


def answer(protocol_type: type[Any], requests: bytes) -> tuple[Sent, Sent]:
    """Serve requests; return what was sent when the first answer was given, and in all."""

    async def serve() -> tuple[Sent, Sent]:
        transport = FakeTransport()
        sent_meanwhile: list[Sent] = []
        paths: list[str] = []
        ended = asyncio.Event()

        async def app(scope: Scope, _: Receive, send: Send) -> None:
            paths.append(scope["path"])
            headers = [(b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"ok"})
            sent_meanwhile.append(transport.sent.copy())
            if scope["path"] == "/last":
                ended.set()

        config = uvicorn.Config(app, date_header=False, server_header=False)
        config.load()
        limits = Limits(max_connections=10, head_seconds=15, body_seconds=5, max_bytes=65536)
        protocol = protocol_type(limits, config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(transport)
        protocol.data_received(requests)
        async with asyncio.timeout(30):
            await ended.wait()
        await asyncio.sleep(0)
        protocol.connection_lost(None)
        return sent_meanwhile[0], transport.sent

    return asyncio.run(serve())


REQUEST = b"GET /%b HTTP/1.1\r\nhost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.mark.parametrize("protocol_type", [HTTPProtocol, JoinedWritesProtocol])
def test_every_request_of_a_connection_is_answered_in_turn(protocol_type: type[Any]) -> None:
    _, sent = answer(protocol_type, REQUEST % b"" * 2 + REQUEST % b"last")

    assert b"".join(sent) == ANSWER * 3


@pytest.mark.parametrize("protocol_type", [HTTPProtocol, JoinedWritesProtocol])
def test_answer_is_sent_before_the_application_has_ended(protocol_type: type[Any]) -> None:
    sent_meanwhile, _ = answer(protocol_type, REQUEST % b"last")

    assert b"".join(sent_meanwhile) == ANSWER


def test_answer_is_sent_in_one_piece() -> None:
    _, sent = answer(JoinedWritesProtocol, REQUEST % b"last")

    assert sent == [ANSWER]


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
