"""Opening the input log's database, and saying when it can't be used."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExceptionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import InputLogUnavailable
from gateway.input_log.log_files import LogFiles
from gateway.input_log.tables import upgrade

_logger = logging.getLogger(__name__)

# How long a writer waits for another one, say a backup that reads the file.
_BUSY_TIMEOUT_SECONDS = 2
# What a commit changes is held back in memory. Of a batch of a thousand large inputs, and of the
# outcomes of another one, SQLite's own 2 MiB would write half twice.
_CACHE_KIB = 8192


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
        self._lock = threading.Lock()
        self._users = 0  # threads that are within `watch`
        self._has_tables = False
        self._kept: sqlite3.Connection | None = None
        # SQLite deletes what is beside the log's file when its last connection is closed. So that
        # only others do, this one stays open from the first use, whatever becomes of the rest.
        self._anchor: sqlite3.Connection | None = None
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._files = LogFiles(self._engine) if self.is_sqlite else None
        event.listen(self._engine, "handle_error", _reopen)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _make_durable)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a connection; what was written is on disk when the block has ended.

        Raises:
            InputLogUnavailable: nothing was written that anybody can find. The next use opens the
                database anew, so it works again by itself when it can.
        """
        with self.watch(), self._engine.begin() as connection:
            yield connection

    def keep_sqlite(self) -> sqlite3.Connection:
        """Return the driver's own connection for one user, within `watch`; it stays open."""
        if self._kept is None:
            self._kept = self._open_sqlite()
            # What a statement needs to be undone: no file is made for it with each commit.
            self._kept.execute("PRAGMA temp_store=MEMORY")
            self._kept.execute(f"PRAGMA cache_size={-_CACHE_KIB}")
        return self._kept

    def drop_sqlite(self) -> None:
        """Close the driver's own connection; the next use opens a new one."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Have the tables made before the block, and its errors raised as `InputLogUnavailable`.

        The path of a SQLite log must name the files that are open before the block, or they are
        opened anew; and after it, or what was committed in it is nowhere.
        """
        try:
            with self._lock:
                self._make_ready()
                self._users += 1
            try:
                yield
            finally:
                with self._lock:
                    self._users -= 1
            if self._files:
                self._files.check()
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise InputLogUnavailable(str(error)) from error

    def close(self) -> None:
        """Close the connections; a later use opens new ones."""
        self.drop_sqlite()
        self._engine.dispose()
        if self._files and self._anchor:
            self._files.forget()
            self._anchor.close()
            self._anchor = None
        self._has_tables = False

    def _make_ready(self) -> None:
        if self._files and self._anchor:
            try:
                self._files.check_unless_checked()
            except InputLogUnavailable as error:
                self._leave_files(self._files, self._anchor, error)
        if self._has_tables:
            return
        self.close()  # what was opened in vain may be open on a file of the past
        made = self._files.make() if self._files else None
        with self._engine.begin() as connection:
            upgrade(connection)
        if self._files and made:
            self._anchor = self._open_sqlite()
            self._files.remember(made)
        self._has_tables = True

    def _leave_files(
        self, files: LogFiles, anchor: sqlite3.Connection, reason: InputLogUnavailable
    ) -> None:
        """Close all that is open, since as long as one is, SQLite mixes old and new files up."""
        if self._users:
            raise reason
        emptied = files.is_emptied()
        try:
            files.leave(anchor)
        except sqlite3.Error as error:
            fields = {"reason": str(error)}
            _logger.warning("the log's former file is incomplete", extra={"fields": fields})
        self.close()
        if emptied:
            files.put_aside_if_damaged()
        _logger.warning("the log is opened anew", extra={"fields": {"reason": str(reason)}})

    def _open_sqlite(self) -> sqlite3.Connection:
        connection = self._engine.raw_connection()
        opened = cast(sqlite3.Connection, connection.driver_connection)
        connection.detach()
        return opened


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
