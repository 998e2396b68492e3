import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from gateway.errors import InputLogUnavailable
from gateway.input_log import sqlite_setup as module
from gateway.input_log.database import LogDatabase
from gateway.input_log.sqlite_writer import SqliteLogWriter
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import NewInput, OutcomeKind

INPUT = NewInput("r1", "1", OutcomeKind.LOGGED)
ADD_ATTEMPT = "INSERT INTO attempts (input_id, outcome) VALUES (1, 'unavailable')"


def test_commit_reaches_the_disk_before_it_returns(log_path: Path) -> None:
    database = LogDatabase(f"sqlite:///{log_path}")

    # synchronous is of the connection, not of the file
    with database.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    with database.watch():
        own = database.keep_sqlite()
        assert own.execute("PRAGMA synchronous").fetchone() == (2,)
    with closing(sqlite3.connect(log_path)) as connection_of_another:
        assert connection_of_another.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


@pytest.mark.parametrize("writer_class", [LogWriter, SqliteLogWriter])
def test_file_beside_the_log_is_small_again_when_a_long_reader_has_ended(
    log_path: Path, writer_class: type[LogWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_WAL_BYTES", 1_000_000)
    database = LogDatabase(f"sqlite:///{log_path}")
    log = writer_class(database)
    large = NewInput("r1", "1" * 5_000_000, OutcomeKind.LOGGED)
    beside = Path(f"{log_path}-wal")
    log.write([large])
    with closing(sqlite3.connect(log_path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM inputs").fetchone()
        log.write([large, large])
        assert beside.stat().st_size > 10_000_000

    for _ in range(3):
        log.write([INPUT])

    assert beside.stat().st_size <= 1_000_000
    log.close()
    database.close()


def test_writer_waits_for_no_reader_however_many_there_are(
    database: LogDatabase, log: LogWriter
) -> None:
    with ExitStack() as reading:
        for _ in range(30):
            connection = reading.enter_context(database.transaction())
            connection.exec_driver_sql("SELECT count(*) FROM inputs")

        assert log.write([INPUT]) == [1]


def fail(database: LogDatabase) -> None:
    with pytest.raises(InputLogUnavailable), database.transaction() as connection:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")


def count_attempts(database: LogDatabase) -> object:
    with database.transaction() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM attempts").scalar()


def test_every_connection_is_opened_anew_after_an_error(database: LogDatabase) -> None:
    def open_two() -> set[object]:
        with database.transaction() as one, database.transaction() as other:
            return {one.connection.driver_connection, other.connection.driver_connection}

    before = open_two()
    assert open_two() == before

    fail(database)

    assert not open_two() & before


def test_transaction_goes_on_when_another_one_fails(database: LogDatabase) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(ADD_ATTEMPT)
        fail(database)
        connection.exec_driver_sql(ADD_ATTEMPT)

    assert count_attempts(database) == 2


def test_own_connection_of_the_writer_goes_on_when_a_reader_fails(log_path: Path) -> None:
    database = LogDatabase(f"sqlite:///{log_path}")
    writer = SqliteLogWriter(database)
    with writer._transaction() as connection:
        connection.execute(ADD_ATTEMPT)
        fail(database)
        connection.execute(ADD_ATTEMPT)

    assert count_attempts(database) == 2
    writer.close()
    database.close()
