"""The input log: every input on disk before anything else happens to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    create_engine,
    event,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import InputLogUnavailable

# How long a writer waits for another one, say a backup that reads the file.
_BUSY_TIMEOUT_SECONDS = 2

_metadata = MetaData()

inputs = Table(
    "inputs",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("request_id", String(128), nullable=False, index=True),
    Column("received_at", DateTime(timezone=True), nullable=False, comment="UTC"),
    Column("data", Text, nullable=False, comment="the input as JSON"),
    Column("outcome", String(16), nullable=False),
    Column("price", Float, comment="in the model's currency"),
    Column("model_version", String(64)),
    Column("duration_ms", Float, comment="of the call to Service B"),
    sqlite_autoincrement=True,
)

# A row that health checks rewrite: only writing shows that the log can be written.
_heartbeat = Table(
    "heartbeat",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("checked_at", DateTime(timezone=True), nullable=False),
)


_OUTCOME_COLUMNS = ("outcome", "price", "model_version", "duration_ms")
_INSERT = inputs.insert().returning(inputs.c.id, sort_by_parameter_order=True)
_ADD_OUTCOME = (
    inputs.update()
    .where(inputs.c.id == bindparam("number"))
    .values({name: bindparam(name) for name in _OUTCOME_COLUMNS})
)


class OutcomeKind(StrEnum):
    """What became of an input."""

    LOGGED = "logged"  # kept, and not to be forwarded
    PENDING = "pending"  # to be forwarded, answer not known yet
    PREDICTED = "predicted"
    REJECTED = "rejected"  # Service B says that the input is wrong
    UNAVAILABLE = "unavailable"  # Service B gave no usable answer


@dataclass(frozen=True)
class NewInput:
    """An input, given as JSON text."""

    request_id: str
    data: str
    outcome: OutcomeKind
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Outcome:
    """The result of forwarding an input."""

    input_number: int
    outcome: OutcomeKind
    duration_ms: float
    price: float | None = None
    model_version: str | None = None


@dataclass(frozen=True)
class Heartbeat:
    """Nothing to keep: shows that the log can be written."""


Entry = NewInput | Outcome | Heartbeat


class InputLog:
    """Writes entries to a database. Blocks; use it from one thread at a time."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
        self._has_tables = False
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _make_durable)

    def write(self, entries: Sequence[Entry]) -> list[int]:
        """Commit the entries, all or none; they are on disk when this returns.

        Returns the number of each entry's input in the log, 0 for a heartbeat.

        Raises:
            InputLogUnavailable: nothing was written. Works again by itself when it can.
        """
        try:
            self._ensure_tables()
            with self._engine.begin() as connection:
                return _write(connection, entries)
        except (SQLAlchemyError, OSError) as error:
            raise InputLogUnavailable(str(error)) from error

    def close(self) -> None:
        """Close the database; a later call opens it again."""
        self._engine.dispose()

    def _ensure_tables(self) -> None:
        if self._has_tables:
            return
        _make_folder(self._engine)
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                # Gateways that start together on one new file make the tables one after the other.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            _metadata.create_all(connection)
        self._has_tables = True


def _write(connection: Connection, entries: Sequence[Entry]) -> list[int]:
    new = [vars(entry) for entry in entries if isinstance(entry, NewInput)]
    outcomes = [
        {"number": entry.input_number, **{name: getattr(entry, name) for name in _OUTCOME_COLUMNS}}
        for entry in entries
        if isinstance(entry, Outcome)
    ]
    numbers: Iterator[int] = iter(())
    if new:
        numbers = iter(connection.execute(_INSERT, new).scalars().all())
    if outcomes:
        connection.execute(_ADD_OUTCOME, outcomes)
    if any(isinstance(entry, Heartbeat) for entry in entries):
        connection.execute(_heartbeat.delete())
        connection.execute(_heartbeat.insert().values(id=1, checked_at=datetime.now(UTC)))
    return [
        next(numbers)
        if isinstance(entry, NewInput)
        else entry.input_number
        if isinstance(entry, Outcome)
        else 0
        for entry in entries
    ]


def _make_durable(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """WAL lets readers read while we write; FULL means that a commit is on disk."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _make_folder(engine: Engine) -> None:
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
