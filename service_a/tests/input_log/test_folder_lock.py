"""Two processes that open one log anew."""

import errno
import fcntl
import os
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import InputLogUnavailable
from gateway.input_log import folder_lock, log_files
from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import InputFilter, LogReader
from gateway.input_log.sqlite_writer import SqliteLogWriter
from gateway.intake.entries import NewInput, OutcomeKind


def test_log_is_opened_anew_only_when_no_other_process_is_doing_it(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "_WAIT_SECONDS", 0)
    monkeypatch.setattr(log_files, "_MOMENT_SECONDS", -1)  # each write looks at the files
    with closing(LogDatabase(f"sqlite:///{log_path}")) as database:
        log = SqliteLogWriter(database)
        log.write([NewInput("r1", "1", OutcomeKind.LOGGED)])
        log_path.with_name(f"{log_path.name}-wal").unlink()

        other = os.open(log_path.parent, os.O_RDONLY)
        try:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(InputLogUnavailable, match="another process is opening the log"):
                log.write([NewInput("r2", "2", OutcomeKind.LOGGED)])
        finally:
            os.close(other)
        log.write([NewInput("r3", "3", OutcomeKind.LOGGED)])

        page = LogReader(database).read_page(InputFilter(), None, 10)
    assert [each.request_id for each in page.rows] == ["r3", "r1"]


def test_log_is_opened_when_the_file_system_has_no_locks_for_folders(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int, __: int) -> None:
        raise OSError(errno.EBADF, "as NFS says")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with closing(LogDatabase(f"sqlite:///{log_path}")) as database:
        log = SqliteLogWriter(database)
        assert log.write([NewInput("r1", "1", OutcomeKind.LOGGED)]) == [1]
