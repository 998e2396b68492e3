"""Opening the input log's database, and saying when it can't be used."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from gateway.errors import InputLogUnavailable
from gateway.input_log.tables import upgrade

# How long a writer waits for another one, say a backup that reads the file.
_BUSY_TIMEOUT_SECONDS = 2

# What a commit changes is held back in memory. Of a batch of a thousand large inputs, and of the
# outcomes of another one, SQLite's own 2 MiB would write half twice.
_CACHE_KIB = 8192


class LogDatabase:
    """Connections to the log's database, whose tables are made at the first use."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(
            url,
            pool_pre_ping=not url.startswith("sqlite"),
            hide_parameters=True,  # an error must not carry inputs into the log lines
        )
        self._has_tables = False
        self._kept: PoolProxiedConnection | None = None
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        if self.is_sqlite:
            event.listen(self._engine, "connect", _make_durable)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a connection; what was written is on disk when the block has ended.

        Raises:
            InputLogUnavailable: nothing was written. The next use opens the database anew, so
                it works again by itself when it can.
        """
        with self._watch(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def sqlite_transaction(self) -> Iterator[sqlite3.Connection]:
        """The same with the driver's own connection to SQLite, always the same one, which one
        thread at a time may have. SQLAlchemy would take longer than the writing.
        """
        with self._watch():
            if self._kept is None:
                self._kept = self._engine.raw_connection()
                # What a statement needs to be undone: no file is made for it with each commit.
                self._kept.cursor().execute("PRAGMA temp_store=MEMORY")
                self._kept.cursor().execute(f"PRAGMA cache_size={-_CACHE_KIB}")
            connection = cast(sqlite3.Connection, self._kept.driver_connection)
            with connection:
                yield connection

    def close(self) -> None:
        """Close the connections; a later use opens new ones."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        self._engine.dispose()

    @contextmanager
    def _watch(self) -> Iterator[None]:
        try:
            self._ensure_tables()
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            # A connection that was opened while the file was read-only stays so.
            self.close()
            raise InputLogUnavailable(str(error)) from error

    def _ensure_tables(self) -> None:
        if self._has_tables:
            return
        _make_folder(self._engine)
        with self._engine.begin() as connection:
            upgrade(connection)
        self._has_tables = True


def _make_durable(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """WAL lets readers read while we write; FULL means that a commit is on disk."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_SECONDS * 1000}")
    _turn_on_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _turn_on_wal(cursor: DBAPICursor) -> None:
    """Two that do it at once on a new file would lock each other out: then SQLite doesn't wait."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _make_folder(engine: Engine) -> None:
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
