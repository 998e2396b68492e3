import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.input_log.file_marks import FileMarks


def write(connection: sqlite3.Connection, *values: str) -> None:
    connection.executemany("INSERT INTO log VALUES (?)", [(value,) for value in values])
    connection.commit()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inputs.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE log (value)")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        yield connection


@pytest.fixture
def marks(path: Path, connection: sqlite3.Connection) -> Iterator[FileMarks]:
    write(connection, "before")
    with closing(FileMarks(str(path), f"{path}-shm")) as marks:
        assert not marks.is_overwritten(path.stat())
        yield marks


@pytest.mark.parametrize("how", ["PASSIVE", "RESTART"])
def test_file_is_not_overwritten_when_sqlite_writes_it(
    path: Path, connection: sqlite3.Connection, marks: FileMarks, how: str
) -> None:
    for number in range(3):
        write(connection, f"{number}" * 5000)
        connection.execute(f"PRAGMA wal_checkpoint({how})")
        assert not marks.is_overwritten(path.stat())
        write(connection, "more")  # after a restart, at the start of `-wal`
        assert not marks.is_overwritten(path.stat())


def test_file_is_not_overwritten_when_only_its_time_changes(path: Path, marks: FileMarks) -> None:
    os.utime(path, (0, 0))

    assert not marks.is_overwritten(path.stat())


@pytest.mark.parametrize("content", [b"", b"no database"])
def test_file_is_overwritten_until_it_is_as_before(
    path: Path, connection: sqlite3.Connection, marks: FileMarks, content: bytes
) -> None:
    write(connection, "after")
    before = path.read_bytes()
    path.write_bytes(content)
    assert marks.is_overwritten(path.stat())
    assert marks.is_overwritten(path.stat())

    path.write_bytes(before)

    assert not marks.is_overwritten(path.stat())


def test_copy_has_what_was_written_over_the_file(path: Path, marks: FileMarks) -> None:
    with closing(sqlite3.connect(path.with_name("backup"))) as backup:
        backup.execute("CREATE TABLE log (value)")
        write(backup, "backup's")
    shutil.copyfile(path.with_name("backup"), path)
    assert marks.is_overwritten(path.stat())

    marks.copy_file(path.with_name("copy"))

    assert path.with_name("copy").read_bytes() == path.with_name("backup").read_bytes()
