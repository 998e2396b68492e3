"""The input log's file, read through a connection of the test's own."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

_SETTLED_WITHIN_SECONDS = 300  # however busy the machine is


def read_inputs(path: Path, *, settled: bool = True) -> list[dict[str, Any]]:
    """Return what is committed, oldest first.

    An answer doesn't wait for its outcome to be logged, so this does, unless `settled` is false.
    """
    deadline = time.monotonic() + _SETTLED_WITHIN_SECONDS
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        while True:
            rows = [dict(row) for row in connection.execute("SELECT * FROM inputs ORDER BY id")]
            pending = [row for row in rows if row["outcome"] == "pending"]
            if not (settled and pending) or time.monotonic() > deadline:
                return rows
            time.sleep(0.01)
