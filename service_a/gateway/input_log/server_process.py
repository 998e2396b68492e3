"""The process of PostgreSQL's server that is at work for a connection.

Behind a pooler such as PgBouncer a process serves one after the other. There it is found by the
transaction that it has under way.
"""

import time
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

_END_SECONDS = 1
_PAUSE_SECONDS = 0.05

# A process shows the last 32 bits of its transaction's number.
_READ_TRANSACTION = text("SELECT txid_current() & 4294967295")
_FIND = "FROM pg_stat_activity WHERE (pid = :pid OR backend_xid::text = :transaction)"
_END = text(f"SELECT pg_terminate_backend(pid) {_FIND} AND usename = current_user")
_RUNS = text(f"SELECT 1 {_FIND}")


class ServerProcess(NamedTuple):
    """What a process is found by: one of the two."""

    pid: int | None = None
    transaction: str | None = None


def read_server_process(connection: Connection) -> ServerProcess:
    """Return what finds the process that serves the connection, in a transaction that writes."""
    driver_connection: Any = connection.connection.driver_connection
    if driver_connection.is_pooled:
        return ServerProcess(transaction=str(connection.execute(_READ_TRANSACTION).scalar_one()))
    return ServerProcess(pid=driver_connection.info.backend_pid)


def end_server_process(connection: Connection, process: ServerProcess) -> bool:
    """Have a process of a lost connection end, so that its transaction does; say whether it has."""
    connection.execute(_END, process._asdict())
    ends_at = time.monotonic() + _END_SECONDS
    while connection.execute(_RUNS, process._asdict()).first() is not None:
        if time.monotonic() > ends_at:
            return False
        connection.rollback()  # a transaction sees the processes of its beginning
        time.sleep(_PAUSE_SECONDS)
    return True
