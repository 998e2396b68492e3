"""Opening the input log's database, and saying when it can't be used."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import InputLogUnavailable
from gateway.input_log.folder_lock import lock_folder
from gateway.input_log.log_files import LogFiles
from gateway.input_log.server_process import (
    ServerProcess,
    end_server_process,
    read_server_process,
)
from gateway.input_log.sqlite_setup import prepare, prepare_for_writing
from gateway.input_log.upgrade import upgrade

_logger = logging.getLogger(__name__)

_LOCK_SECONDS = 1


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
        self._stopped = threading.Event()
        self._users = 0  # threads that are within `watch`
        self._has_tables = False
        self._kept: sqlite3.Connection | None = None
        # SQLite deletes the files beside the log's when its last connection is closed. This one
        # keeps it from that: it stays open from the first use, whatever becomes of the others.
        self._anchor: sqlite3.Connection | None = None
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._is_psycopg = self._engine.dialect.driver == "psycopg"
        self._files = LogFiles(self._engine) if self.is_sqlite else None
        event.listen(self._engine, "handle_error", _reopen)
        if self.is_sqlite:
            event.listen(self._engine, "connect", self._prepare_sqlite)
        elif self._is_psycopg:
            event.listen(self._engine, "do_connect", self._connect_postgresql)

    @contextmanager
    def transaction(
        self, is_committed: Callable[[Connection], bool] | None = None
    ) -> Iterator[Connection]:
        """Lend a connection; what was written is on disk when the block has ended.

        A server may commit, and its answer may get lost. Then `is_committed` looks, through another
        connection, whether what was written is there.

        Raises:
            InputLogUnavailable: nothing was written that anybody can find. The next use opens the
                database anew, so it works again by itself when it can.
        """
        process: ServerProcess | None = None
        ended = False
        try:
            with self.watch(), self._engine.begin() as connection:
                if self._is_psycopg and is_committed:
                    process = read_server_process(connection)
                yield connection
                self.check_files()
                ended = True
        except InputLogUnavailable:
            if process is None or not ended or is_committed is None:
                raise
            with self.watch(), self._engine.connect() as other:
                if not (end_server_process(other, process) and is_committed(other)):
                    raise

    def keep_sqlite(self) -> sqlite3.Connection:
        """Return the driver's own connection for one user, within `watch`; it stays open."""
        if self._kept is None:
            self._kept = self._open_sqlite()
            prepare_for_writing(self._kept)
        return self._kept

    def renew_sqlite(self) -> None:
        """Open the driver's own connection anew, which frees its memory, unless that fails."""
        with suppress(SQLAlchemyError, sqlite3.Error, OSError):
            new = self._open_sqlite()
            prepare_for_writing(new)
            self.drop_sqlite()
            self._kept = new

    def drop_sqlite(self) -> None:
        """Close the driver's own connection; the next use opens a new one."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Make the tables before the block, and raise its errors as `InputLogUnavailable`.

        The path of a SQLite log must name the files that are open. If it doesn't before the block,
        they are opened anew; if it doesn't after it, the block has failed, since nobody can find
        what it has committed.
        """
        try:
            # Only one thread waits for a database that hangs or is upgraded; others soon give up.
            if not self._lock.acquire(timeout=_LOCK_SECONDS):
                raise InputLogUnavailable("the log is being opened")
            try:
                self._make_ready()
                self._users += 1
            finally:
                self._lock.release()
            try:
                yield
            finally:
                with self._lock:
                    self._users -= 1
            self.check_files()
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise InputLogUnavailable(str(error)) from error

    def check_files(self) -> None:
        """Raise `InputLogUnavailable` if the path of a SQLite log names other files than the open.

        A look before a commit, while nobody else can write, also finds what another process has
        just done when it left the former files. Then nothing more is written into them.
        """
        if self._files:
            self._files.check()

    def stop(self) -> None:
        """Have whatever is still under way fail soon."""
        self._stopped.set()

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
        reason = None
        if self._files and self._anchor:
            try:
                self._files.check_unless_checked()
            except InputLogUnavailable as error:
                reason = error
        if self._has_tables and not reason:
            return
        if self._files:
            with lock_folder(self._files.path.parent):
                if self._anchor and reason:
                    self._leave_files(self._files, self._anchor, reason)
                self._open_files(self._files)
        else:
            self.close()
        with self._engine.begin() as connection:
            upgrade(connection)
        self._has_tables = True

    def _open_files(self, files: LogFiles) -> None:
        self.close()  # what was opened in vain may be open on a former file
        made = files.make()
        self._anchor = self._open_sqlite()
        # After a kill, nobody could say how much SQLite has copied until it copies something.
        self._anchor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        files.remember(made)

    def _leave_files(
        self, files: LogFiles, anchor: sqlite3.Connection, reason: InputLogUnavailable
    ) -> None:
        """Close all connections: as long as one is open, SQLite mixes up old and new files."""
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

    def _prepare_sqlite(self, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        prepare(cast(sqlite3.Connection, connection), self._stopped.is_set)

    def _connect_postgresql(
        self, _: object, __: object, ___: object, parameters: dict[str, Any]
    ) -> DBAPIConnection:
        from gateway.input_log.postgresql import connect  # its driver isn't installed everywhere

        connection: DBAPIConnection = connect(self._engine.url, parameters, self._stopped.is_set)
        return connection

    def _open_sqlite(self) -> sqlite3.Connection:
        connection = self._engine.raw_connection()
        opened = cast(sqlite3.Connection, connection.driver_connection)
        connection.detach()
        return opened


def _reopen(context: ExceptionContext) -> None:
    """After any error, open each connection anew before its next use.

    A connection that was opened while the file was read-only stays read-only.
    """
    context.is_disconnect = True
