"""How SQLite's connections are set up."""

import sqlite3
import time
from collections.abc import Callable

# How long a writer waits for another one, say a backup that reads the file.
_BUSY_TIMEOUT_SECONDS = 2.0
# Each connection keeps this much of the file in memory. SQLite's own 2 MiB would not make reading
# faster, as the system keeps the file too.
_CACHE_KIB = 512
# The writer keeps this much of what a commit changes. With SQLite's own 2 MiB, a part of a thousand
# full houses would be written twice.
_WRITER_CACHE_KIB = 4096
# A long read keeps SQLite from starting `-wal` over; afterwards the file is cut to this size.
_MAX_WAL_BYTES = 16 * 1024 * 1024
# Steps of SQLite's virtual machine: some milliseconds.
_STEPS_BETWEEN_LOOKS = 100_000


def prepare(connection: sqlite3.Connection, is_stopped: Callable[[], bool]) -> None:
    """Set up a connection: with WAL, reads go on beside a write; FULL puts a commit on disk."""
    connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_SECONDS * 1000:.0f}")
    _turn_on_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA cache_size={-_CACHE_KIB}")
    connection.execute(f"PRAGMA journal_size_limit={_MAX_WAL_BYTES}")
    connection.set_progress_handler(is_stopped, _STEPS_BETWEEN_LOOKS)


def prepare_for_writing(connection: sqlite3.Connection) -> None:
    """Set up the connection of the writer, for commits of many rows."""
    # What a statement needs to be undone: no file is made for it with each commit.
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute(f"PRAGMA cache_size={-_WRITER_CACHE_KIB}")


def _turn_on_wal(connection: sqlite3.Connection) -> None:
    """Try for a while: two that do it at once on a new file lock each other out without a wait."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return
