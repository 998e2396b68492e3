"""A log whose files are taken away while a gateway has them open."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.errors import InputLogUnavailable
from gateway.input_log import log_files as module
from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import InputFilter, LogReader
from gateway.input_log.sqlite_writer import SqliteLogWriter
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import NewInput, Outcome, OutcomeKind


@pytest.fixture(autouse=True)
def no_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load what was checked a moment ago isn't checked again; here it always is."""
    monkeypatch.setattr(module, "_MOMENT_SECONDS", -1)
    monkeypatch.setattr(module, "_STILL_SECONDS", -1)


@pytest.fixture(params=[LogWriter, SqliteLogWriter])
def writer_class(request: pytest.FixtureRequest) -> type[LogWriter]:
    writer_class: type[LogWriter] = request.param
    return writer_class


@pytest.fixture
def database(log_path: Path) -> Iterator[LogDatabase]:
    with closing(LogDatabase(f"sqlite:///{log_path}")) as database:
        yield database


@pytest.fixture
def log(database: LogDatabase, writer_class: type[LogWriter]) -> LogWriter:
    return writer_class(database)


def record(log: LogWriter, *names: str) -> None:
    log.write([NewInput(name, "1", OutcomeKind.PENDING) for name in names])


def read_names(path: Path) -> list[str]:
    """Read what would be there if the gateway was killed now: through a copy of all its files."""
    copy = path.with_name("copy")
    for end in ("", "-wal"):
        if Path(f"{path}{end}").exists():
            shutil.copy(f"{path}{end}", f"{copy}{end}")
    with closing(sqlite3.connect(copy)) as connection:
        names = [name for (name,) in connection.execute("SELECT request_id FROM inputs")]
    for end in ("", "-wal", "-shm"):
        Path(f"{copy}{end}").unlink(missing_ok=True)
    return names


def delete(*ends: str) -> Callable[[Path], Path]:
    def delete_files(path: Path) -> Path:
        for end in ends:
            Path(f"{path}{end}").unlink()
        return path

    return delete_files


def move(path: Path) -> Path:
    return path.rename(path.with_name("moved.db"))


def move_folder(path: Path) -> Path:
    return path.parent.rename(path.parent.with_name("moved")) / path.name


def replace_by_another(path: Path) -> Path:
    with closing(LogDatabase(f"sqlite:///{path.parent / 'another'}")) as another:
        record(LogWriter(another), "another's")
    os.replace(path.parent / "another", path)
    return path


def empty(path: Path) -> Path:
    os.truncate(path, 0)
    return path


def empty_beside(path: Path) -> Path:
    os.truncate(f"{path}-wal", 0)
    return path


def overwrite(path: Path, *names: str) -> None:
    """Write another log over the file, as `cp backup inputs.db` does."""
    with closing(LogDatabase(f"sqlite:///{path.parent / 'backup'}")) as backup:
        record(LogWriter(backup), *names)
    shutil.copyfile(path.parent / "backup", path)


def fill(log: LogWriter, path: Path) -> None:
    """Write so much that most of the log is in the file itself, and the rest beside it."""
    log.write([NewInput("r1", "1" * 5_000_000, OutcomeKind.LOGGED)])
    assert path.stat().st_size > 5_000_000
    record(log, "r1")


@pytest.mark.parametrize(
    "take_away",
    [
        delete(""),
        delete("", "-wal", "-shm"),
        delete("-wal"),
        delete("-shm"),
        move,
        move_folder,
        replace_by_another,
        empty,
        empty_beside,
    ],
)
def test_what_is_written_is_in_the_file_that_the_path_names_when_another_was_open(
    log: LogWriter, database: LogDatabase, log_path: Path, take_away: Callable[[Path], Path]
) -> None:
    fill(log, log_path)
    LogReader(database).read_page(InputFilter(), None, 1)  # a reader has it open as well

    take_away(log_path)
    record(log, "r2")
    record(log, "r3")

    assert read_names(log_path)[-2:] == ["r2", "r3"]


@pytest.mark.parametrize("take_away", [delete("-wal"), delete("-shm"), move, move_folder])
def test_what_was_written_before_is_complete_in_the_file_wherever_it_is(
    log: LogWriter, log_path: Path, take_away: Callable[[Path], Path]
) -> None:
    record(log, "r1", "r2")

    now_at = take_away(log_path)
    record(log, "r3")

    if now_at == log_path:
        assert read_names(log_path) == ["r1", "r2", "r3"]
    else:
        assert read_names(now_at) == ["r1", "r2"]
        assert read_names(log_path) == ["r3"]


@pytest.mark.parametrize(
    "take_away", [delete(""), delete("-wal"), move, move_folder, empty, empty_beside]
)
def test_commit_is_no_success_when_the_file_goes_in_the_middle_of_it(
    log: LogWriter,
    log_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    take_away: Callable[[Path], Path],
) -> None:
    record(log, "r1")
    begin = LogDatabase._make_ready

    def begin_and_take_away(database: LogDatabase) -> None:
        begin(database)
        take_away(log_path)

    with monkeypatch.context() as patch:
        patch.setattr(LogDatabase, "_make_ready", begin_and_take_away)
        with pytest.raises(InputLogUnavailable):
            record(log, "lost")

    record(log, "r2")

    assert read_names(log_path)[-1] == "r2"


def test_nothing_is_written_into_former_files_when_another_process_has_just_left_them(
    log: LogWriter, log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(log, "r1")
    begin = LogDatabase._make_ready

    def begin_and_delete(database: LogDatabase) -> None:
        begin(database)
        delete("-wal", "-shm")(log_path)

    with open(f"{log_path}-wal", "rb") as former:
        with monkeypatch.context() as patch:
            patch.setattr(LogDatabase, "_make_ready", begin_and_delete)
            with pytest.raises(InputLogUnavailable):
                record(log, "lost")
        content = former.read()

    assert b"r1" in content
    assert b"lost" not in content


def test_outcome_of_an_input_in_the_former_file_is_not_given_to_one_of_the_new(
    log: LogWriter, log_path: Path
) -> None:
    (number,) = log.write([NewInput("r1", "1", OutcomeKind.PENDING)])
    move(log_path)
    assert log.write([NewInput("r2", "2", OutcomeKind.PENDING)]) == [number]

    log.write([Outcome(number, "r1", OutcomeKind.PREDICTED, 1.0, 208500.0, "1")])

    with closing(sqlite3.connect(log_path)) as connection:
        assert connection.execute("SELECT outcome, price FROM inputs").fetchall() == [
            ("pending", None)
        ]


def test_file_that_lost_a_part_is_put_aside(log: LogWriter, log_path: Path) -> None:
    record(log, *["r1"] * 100)
    with closing(sqlite3.connect(log_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    record(log, "r1")  # beside it is now what this changed
    empty(log_path)

    record(log, "r2")

    assert read_names(log_path) == ["r2"]
    assert Path(f"{log_path}.damaged").exists()


def test_log_goes_on_with_the_backup_that_was_written_over_its_file(
    log: LogWriter, database: LogDatabase, log_path: Path
) -> None:
    fill(log, log_path)
    record(log, *["r1"] * 100)
    LogReader(database).read_page(InputFilter(), None, 1)

    overwrite(log_path, "backup's")
    record(log, "r2")
    record(log, "r3")

    assert read_names(log_path) == ["backup's", "r2", "r3"]
    assert sorted(path.name for path in log_path.parent.glob(f"{log_path.name}*")) == [
        f"{log_path.name}{end}" for end in ("", "-shm", "-wal")
    ]


def test_nothing_is_logged_while_another_file_is_written_over_the_logs(
    log: LogWriter, log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(log, "r1")
    overwrite(log_path, "backup's")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_STILL_SECONDS", 60)
        for _ in range(2):
            with pytest.raises(InputLogUnavailable, match="overwritten"):
                record(log, "lost")

    record(log, "r2")

    assert read_names(log_path) == ["backup's", "r2"]


def test_commit_is_no_success_when_the_file_is_overwritten_in_the_middle_of_it(
    log: LogWriter, log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(log, "r1")
    begin = LogDatabase._make_ready

    def begin_and_overwrite(database: LogDatabase) -> None:
        begin(database)
        if "backup" not in str(database._engine.url):
            monkeypatch.undo()
            monkeypatch.setattr(module, "_STILL_SECONDS", -1)
            overwrite(log_path, "backup's")

    monkeypatch.setattr(LogDatabase, "_make_ready", begin_and_overwrite)
    with pytest.raises(InputLogUnavailable):
        record(log, "lost")
    record(log, "r2")

    assert read_names(log_path) == ["backup's", "r2"]


def test_log_stays_as_it_is_when_sqlite_writes_its_file_or_only_its_time_changes(
    log: LogWriter, log_path: Path
) -> None:
    record(log, "first")
    with closing(sqlite3.connect(log_path)) as other:  # checkpoints, as another process does
        for number in range(30):
            record(log, f"r{number}")
            if number % 3 == 0:
                other.execute("PRAGMA wal_checkpoint(RESTART)")
            if number % 5 == 0:
                os.utime(log_path)
    file = log_path.stat().st_ino
    record(log, "r30")

    assert log_path.stat().st_ino == file
    assert set(read_names(log_path)) == {"first", *[f"r{number}" for number in range(31)]}


def test_log_is_where_its_link_leads(
    log_path: Path, tmp_path: Path, writer_class: type[LogWriter]
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(log_path)
    log_path.parent.mkdir()
    with closing(LogDatabase(f"sqlite:///{link}")) as database:
        log = writer_class(database)
        record(log, "r1")
        record(log, "r2")
        link.unlink()
        link.symlink_to(tmp_path / "other.db")
        record(log, "r3")

    assert read_names(log_path) == ["r1", "r2"]
    assert read_names(tmp_path / "other.db") == ["r3"]


def test_log_goes_on_when_its_file_was_moved_and_its_path_leads_there(
    log: LogWriter, database: LogDatabase, log_path: Path
) -> None:
    record(log, "r1", "r2")

    now_at = move(log_path)
    log_path.symlink_to(now_at)
    record(log, "r3")

    inputs, _ = LogReader(database).read_page(InputFilter(), None, 9)
    assert [each.request_id for each in inputs] == ["r3", "r2", "r1"]
    assert read_names(now_at) == ["r1", "r2", "r3"]


@pytest.mark.parametrize("name", ["a b.db", "100%25.db", "hash#tag.db"])
def test_path_of_a_uri_is_found(tmp_path: Path, name: str) -> None:
    quoted = quote((tmp_path / name).as_uri())  # the whole address is within another one
    with closing(LogDatabase(f"sqlite:///{quoted}?mode=rwc&uri=true")) as database:
        log = LogWriter(database)
        record(log, "r1")
        (tmp_path / name).unlink()
        record(log, "r2")

    assert read_names(tmp_path / name) == ["r2"]
