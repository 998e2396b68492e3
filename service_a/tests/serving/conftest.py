"""What the tests of the protocols share: a server with each of them."""

from collections.abc import Iterator

import pytest

from gateway.serving import waits
from gateway.serving.h11_protocol import BoundedH11Protocol
from gateway.serving.httptools_protocol import BoundedHttpToolsProtocol
from tests.serving.running_server import RunningServer


@pytest.fixture(
    scope="module",
    params=[BoundedHttpToolsProtocol, BoundedH11Protocol],
    ids=["httptools", "h11"],
)
def running_server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    server = RunningServer(request.param)
    yield server
    server.stop()
    server.wait_for_end()


@pytest.fixture
def server(running_server: RunningServer) -> Iterator[RunningServer]:
    running_server.use()
    yield running_server
    running_server.check_nothing_is_left()


@pytest.fixture
def quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have callers that are late noticed at once."""
    monkeypatch.setattr(waits, "_CHECK_SECONDS", 0.005)
