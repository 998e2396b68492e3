"""An input log with many rows, made quickly."""

import sqlite3
import time
from pathlib import Path

# Ids as Service A makes them, in order of time; one row for each millisecond until now.
_FILL = """
WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < :rows)
INSERT INTO inputs (request_id, received_at, data, outcome, price, model_version, duration_ms)
SELECT
    printf('%016x', :first_ms * 1000000 + i * 1000000) || lower(hex(randomblob(8))),
    strftime('%Y-%m-%d %H:%M:%f000', (:first_ms + i) / 1000.0, 'unixepoch'),
    '{"overall_qual":7,"gr_liv_area":1710,"year_built":2003,"neighborhood":"CollgCr"}',
    'predicted', 209159.42, '1', 2.5
FROM number
"""
_GIB = 2**30
BYTES_PER_ROW = 1000
"""More than a row and its indexes take while they are made."""


def fill_log(file: Path, rows: int) -> float:
    """Add rows to a log whose tables Service A has made; return its size in GiB."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        # Filling the indexes at the end is many times faster.
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'index' AND tbl_name = 'inputs' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        first_ms = time.time_ns() // 1_000_000 - rows
        connection.execute(_FILL, {"rows": rows, "first_ms": first_ms})
        for _, sql in indexes:
            connection.execute(sql)
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    return file.stat().st_size / _GIB
