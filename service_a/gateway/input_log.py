"""The input log: every input on disk before anything else happens to it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
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


class OutcomeKind(StrEnum):
    """What became of an input."""

    LOGGED = "logged"  # kept, and not to be forwarded
    PENDING = "pending"  # to be forwarded, answer not known yet
    PREDICTED = "predicted"
    REJECTED = "rejected"  # Service B says that the input is wrong
    UNAVAILABLE = "unavailable"  # Service B gave no usable answer


@dataclass(frozen=True)
class Outcome:
    """The result of a forward."""

    kind: OutcomeKind
    duration_ms: float
    price: float | None = None
    model_version: str | None = None


class InputLog:
    """Writes inputs and outcomes to a database. Its methods block; use it from one thread.

    A write has reached the disk when its method returns. Every method raises
    `InputLogUnavailable` when the database can't be written, and works again by itself
    when it can.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
        self._has_tables = False
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _make_durable)

    def record(self, request_id: str, data: str, kind: OutcomeKind) -> int:
        """Commit one input, given as JSON text, and return its number."""
        row = {
            "request_id": request_id,
            "received_at": datetime.now(UTC),
            "data": data,
            "outcome": kind,
        }
        try:
            self._ensure_tables()
            with self._engine.begin() as connection:
                statement = inputs.insert().returning(inputs.c.id)
                number: int = connection.execute(statement, row).scalar_one()
                return number
        except (SQLAlchemyError, OSError) as error:
            raise InputLogUnavailable(str(error)) from error

    def record_outcome(self, input_number: int, outcome: Outcome) -> None:
        """Commit what became of an input."""
        change = inputs.update().where(inputs.c.id == input_number)
        values = {
            "outcome": outcome.kind,
            "price": outcome.price,
            "model_version": outcome.model_version,
            "duration_ms": outcome.duration_ms,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(change.values(values))
        except SQLAlchemyError as error:
            raise InputLogUnavailable(str(error)) from error

    def check(self) -> None:
        """Commit a heartbeat."""
        try:
            self._ensure_tables()
            with self._engine.begin() as connection:
                connection.execute(_heartbeat.delete())
                connection.execute(_heartbeat.insert().values(id=1, checked_at=datetime.now(UTC)))
        except (SQLAlchemyError, OSError) as error:
            raise InputLogUnavailable(str(error)) from error

    def close(self) -> None:
        """Close the database; a later call opens it again."""
        self._engine.dispose()

    def _ensure_tables(self) -> None:
        if self._has_tables:
            return
        _make_folder(self._engine)
        _metadata.create_all(self._engine)
        self._has_tables = True


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
