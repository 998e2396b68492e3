"""The process of PostgreSQL's server that serves a connection."""

import time
from typing import Any

from sqlalchemy import Connection, text

_END_SECONDS = 1
_PAUSE_SECONDS = 0.05

_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid = :pid AND usename = current_user"
)
_RUNS = text("SELECT 1 FROM pg_stat_activity WHERE pid = :pid")


def read_server_process(connection: Connection) -> int:
    """Return the number of the process that serves the connection."""
    driver_connection: Any = connection.connection.driver_connection
    number: int = driver_connection.info.backend_pid
    return number


def end_server_process(connection: Connection, number: int) -> bool:
    """Have a process of a lost connection end, so that its transaction does; say whether it has."""
    connection.execute(_END, {"pid": number})
    ends_at = time.monotonic() + _END_SECONDS
    while connection.execute(_RUNS, {"pid": number}).first() is not None:
        if time.monotonic() > ends_at:
            return False
        connection.rollback()  # a transaction sees the processes of its beginning
        time.sleep(_PAUSE_SECONDS)
    return True
