"""Opening the input log's database, and saying when it can't be used."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExceptionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import InputLogUnavailable
from gateway.input_log.tables import upgrade

# How long a writer waits for another one, say a backup that reads the file.
_BUSY_TIMEOUT_SECONDS = 2


class LogDatabase:
    """Connections to the log's database, whose tables are made at the first use.

    Safe to use from many threads.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(
            url,
            pool_pre_ping=not url.startswith("sqlite"),
            # A thread has one connection at most, and the writer must not wait for the readers'.
            max_overflow=-1,
            hide_parameters=True,  # an error must not carry inputs into the log lines
        )
        self._has_tables = False
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        event.listen(self._engine, "handle_error", _reopen)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _make_durable)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a connection; what was written is on disk when the block has ended.

        Raises:
            InputLogUnavailable: nothing was written. The next use opens the database anew, so
                it works again by itself when it can.
        """
        with self.watch(), self._engine.begin() as connection:
            yield connection

    def open_sqlite(self) -> sqlite3.Connection:
        """Open the driver's own connection for one owner, which closes it; within `watch`."""
        connection = self._engine.raw_connection()
        opened = cast(sqlite3.Connection, connection.driver_connection)
        connection.detach()
        return opened

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Have the tables made before the block, and its errors raised as `InputLogUnavailable`."""
        try:
            self._ensure_tables()
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise InputLogUnavailable(str(error)) from error

    def close(self) -> None:
        """Close the connections; a later use opens new ones."""
        self._engine.dispose()

    def _ensure_tables(self) -> None:
        if self._has_tables:
            return
        _make_folder(self._engine)
        with self._engine.begin() as connection:
            upgrade(connection)
        self._has_tables = True


def _reopen(context: ExceptionContext) -> None:
    """After any error, open each connection anew before its next use.

    One that was opened while the file was read-only stays so.
    """
    context.is_disconnect = True


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
