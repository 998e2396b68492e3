"""PostgreSQL that hangs: no wait for it goes on for ever.

The server's own limits are of no use when it is stopped, or when a proxy swallows what is said.
"""

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL

Result = TypeVar("Result")

_CONNECT_SECONDS = 2
_STATEMENT_SECONDS = 2.5
_INTERVAL_SECONDS = 0.1


class LimitedConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server takes too long, or `is_stopped` says so."""

    statement_seconds: float = _STATEMENT_SECONDS
    is_stopped: Callable[[], bool] = staticmethod(lambda: False)
    is_pooled = False
    """Whether a pooler such as PgBouncer may give each transaction another of the server's."""

    def wait(
        self,
        gen: Generator[Any, Any, Result],
        interval: float = _INTERVAL_SECONDS,
        timeout: float | None = None,
    ) -> Result:
        return super().wait(self._limit(gen), interval, timeout)

    def _limit(self, generator: Generator[Any, Any, Result]) -> Generator[Any, Any, Result]:
        """Do what the generator does, which the driver asks at each interval."""
        ends_at = time.monotonic() + self.statement_seconds
        try:
            wanted = next(generator)
            while True:
                ready = yield wanted
                if not ready and (self.is_stopped() or time.monotonic() > ends_at):
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server does not answer in time")
                wanted = generator.send(ready)
        except StopIteration as end:
            result: Result = end.value
            return result


def connect(url: URL, parameters: Mapping[str, Any], is_stopped: Callable[[], bool]) -> Any:
    """Connect. What the URL says of timeouts counts."""
    limits: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": int(_STATEMENT_SECONDS * 1000),
        "keepalives_idle": 30,
    }
    missing = {name: value for name, value in limits.items() if name not in url.query}
    connection = LimitedConnection.connect(**parameters, **missing)
    connection.is_stopped = is_stopped
    try:
        ((number,),) = connection.execute("SELECT pg_backend_pid()")
        connection.rollback()
    except psycopg.Error:
        connection.close()
        raise
    if number != connection.info.backend_pid:
        connection.is_pooled = True
        connection.prepare_threshold = None  # another process hasn't what this one has prepared
    return connection
