"""The input log's file, read through a connection of the test's own."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def read_inputs(path: Path) -> list[dict[str, Any]]:
    """Return what is committed, oldest first."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM inputs ORDER BY id")]
