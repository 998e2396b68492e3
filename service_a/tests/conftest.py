"""What the tests share: a bare environment, a stub of Service B, a gateway and its log."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings as hypothesis_settings
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.input_log import sqlite_setup
from gateway.settings import load_settings
from tests.databases import PostgresServer, find_programs
from tests.fake_clock import FakeClock
from tests.stub_server import StubServer

_SETTINGS = {
    "HOST",
    "PORT",
    "ROOT_PATH",
    "DRAIN_SECONDS",
    "WORKERS",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "LAB_PLAIN",
    "LAB_FAULTS",
    "SERVICE_B_URL",
    "SERVICE_B_CA_FILE",
    "SERVICE_B_PROTOCOL",
    "INPUT_LOG_URL",
    "INPUT_LOG_URL_FILE",
    "PREDICTOR_API_KEY",
    "PREDICTOR_API_KEY_FILE",
}

_POSTGRES = find_programs()

# The tests begin without what a developer has in .env.
os.environ["LAB_ENV_FILE"] = os.devnull

# On a busy machine an example may take long; that says nothing of the code. In CI there are more.
hypothesis_settings.register_profile(
    "busy machine",
    hypothesis_settings.default,
    deadline=None,
    max_examples=100 if os.environ.get("CI") else 25,
)
hypothesis_settings.load_profile("busy machine")

StartGateway = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in _SETTINGS or name.startswith(("GATEWAY_", "OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """A gateway takes over the process's logging; give it back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(params=["http", "https"])
def stub_of_each_scheme(request: pytest.FixtureRequest) -> Iterator[StubServer]:
    server = StubServer(request.param)
    yield server
    server.close()


@pytest.fixture
def stub() -> Iterator[StubServer]:
    server = StubServer()
    yield server
    server.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "inputs.db"


@pytest.fixture
def short_wait_for_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a writer of SQLite give up soon when another one holds the file."""
    monkeypatch.setattr(sqlite_setup, "_BUSY_TIMEOUT_SECONDS", 0.05)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    if _POSTGRES is None:
        pytest.skip("PostgreSQL is not installed")
    # Not pytest's own folder, which only root can enter.
    with TemporaryDirectory() as folder:
        server = PostgresServer(_POSTGRES, Path(folder))
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def log_url(request: pytest.FixtureRequest, log_path: Path) -> str:
    """URL of an empty log, on each of the databases that are supported."""
    if request.param == "sqlite":
        return f"sqlite:///{log_path}"
    postgres: PostgresServer = request.getfixturevalue("postgres")
    return postgres.make_schema()


@pytest.fixture
def start_gateway(
    monkeypatch: pytest.MonkeyPatch, stub: StubServer, log_path: Path
) -> Iterator[StartGateway]:
    """Start a gateway in this process, in front of the stub; settings by their variables."""
    with ExitStack() as running:

        def start(**environment: str) -> TestClient:
            defaults = {
                "SERVICE_B_URL": f"{stub.url}/predict",
                "INPUT_LOG_URL": f"sqlite:///{log_path}",
            }
            for name, value in {**defaults, **environment}.items():
                monkeypatch.setenv(name, value)
            return running.enter_context(TestClient(create_app(load_settings())))

        yield start


@pytest.fixture
def client(start_gateway: StartGateway) -> TestClient:
    return start_gateway()
