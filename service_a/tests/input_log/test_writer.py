import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text

from gateway.errors import InputLogUnavailable
from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import InputFilter, LogReader
from gateway.input_log.sqlite_writer import SqliteLogWriter
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import Heartbeat, NewInput, Outcome, OutcomeKind
from gateway.settings import SERVICE_FOLDER
from tests.databases import PostgresServer
from tests.log_file import read_inputs

WRITERS = [LogWriter, SqliteLogWriter]


@pytest.fixture(params=WRITERS)
def writer_class(request: pytest.FixtureRequest) -> type[LogWriter]:
    """The plain writer, which takes any database, and its twin for SQLite."""
    writer_class: type[LogWriter] = request.param
    return writer_class


@contextmanager
def open_log(writer_class: type[LogWriter], url: str) -> Iterator[LogWriter]:
    database = LogDatabase(url)
    log = writer_class(database)
    yield log
    log.close()
    database.close()


@pytest.fixture
def log(writer_class: type[LogWriter], log_path: Path) -> Iterator[LogWriter]:
    with open_log(writer_class, f"sqlite:///{log_path}") as log:
        yield log


on_each_database = pytest.mark.parametrize(
    ("log_url", "writer_class"),
    [*[("sqlite", writer) for writer in WRITERS], ("postgresql", LogWriter)],
    indirect=True,
)


def record(log: LogWriter, request_id: str, data: str = "1") -> int:
    return log.write([NewInput(request_id, data, OutcomeKind.PENDING)])[0]


_LARGE_INPUTS = """
import sys
from pathlib import Path
from gateway.input_log import sqlite_writer, writer
from gateway.input_log.database import LogDatabase
from gateway.intake.entries import NewInput, OutcomeKind

def read_mib():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024

name, url = sys.argv[1:]
log = getattr(sqlite_writer, name, None) or getattr(writer, name)
log = log(LogDatabase(url))
log.write([NewInput("r", "1", OutcomeKind.LOGGED)])
before = read_mib()
for chars, counts in ((300_000, range(1, 25)), (10_000, range(1, 101))):
    for count in counts:
        log.write([NewInput("r", "x" * chars, OutcomeKind.LOGGED) for _ in range(count)])
print(read_mib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
def test_large_inputs_are_not_kept_in_memory_for_each_number_of_them_that_came_together(
    writer_class: type[LogWriter], log_path: Path
) -> None:
    command = [sys.executable, "-c", _LARGE_INPUTS, writer_class.__name__, f"sqlite:///{log_path}"]
    mib = float(subprocess.check_output(command, cwd=SERVICE_FOLDER, text=True))

    assert mib < 40  # of 90 MB, and of 50 MB


_NO_FILES_LEFT = """
import os, resource, sys
from gateway.input_log.database import LogDatabase
from gateway.input_log.sqlite_writer import SqliteLogWriter
from gateway.intake.entries import NewInput, OutcomeKind

log = SqliteLogWriter(LogDatabase(sys.argv[1]))
log.write([NewInput("r", "1", OutcomeKind.LOGGED)])
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
held = []
for _ in range(9):
    try:
        while True:
            held.append(open(os.devnull))
    except OSError:
        pass
    (number,) = log.write([NewInput("r", "x" * 900_000, OutcomeKind.LOGGED)])
print(number)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of the process")
def test_log_is_written_when_no_file_is_left_for_a_new_connection(log_path: Path) -> None:
    command = [sys.executable, "-c", _NO_FILES_LEFT, f"sqlite:///{log_path}"]

    assert subprocess.check_output(command, cwd=SERVICE_FOLDER, text=True) == "10\n"


def test_rows_have_their_own_numbers_and_outcomes_when_they_are_too_much_for_one_statement(
    log: LogWriter, log_path: Path
) -> None:
    sizes = [1, 700_000, 700_000, 1_200_000, 2, *[3] * 1100]
    numbers = log.write(
        [NewInput(f"r{i}", "7" * size, OutcomeKind.PENDING) for i, size in enumerate(sizes)]
    )
    log.write(
        [
            Outcome(number, f"r{i}", OutcomeKind.PREDICTED, 1.0, price=i, prediction="x" * 2000)
            for i, number in enumerate(numbers)
        ]
    )

    rows = sorted(read_inputs(log_path), key=lambda row: row["id"])
    assert [row["id"] for row in rows] == numbers
    assert [len(row["data"]) for row in rows] == sizes
    assert [row["price"] for row in rows] == list(range(len(sizes)))


def test_input_is_committed_when_write_returns(log: LogWriter, log_path: Path) -> None:
    number = record(log, "r1", '{"a":1}')

    (row,) = read_inputs(log_path, settled=False)
    received_at = datetime.fromisoformat(row.pop("received_at")).replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - received_at) < timedelta(minutes=1)
    assert row == {
        "id": number,
        "request_id": "r1",
        "data": '{"a":1}',
        "outcome": "pending",
        "price": None,
        "model_version": None,
        "duration_ms": None,
        "model": None,
        "outcome_at": None,
        "interval_lower": None,
        "interval_upper": None,
        "actual_price": None,
        "actual_at": None,
        "prediction": None,
        "warnings": None,
    }


def test_outcome_is_added_to_its_own_input(log: LogWriter, log_path: Path) -> None:
    first = record(log, "r1")
    record(log, "r1", "2")

    rest = 189000.0, 230000.0, '{"price":null}', '[{"fields":[],"msg":"odd"}]'
    now = datetime.now(UTC)
    log.write([Outcome(first, "r1", OutcomeKind.PREDICTED, 12.5, 208500.0, "1", now, *rest)])

    rows = read_inputs(log_path, settled=False)
    assert [row["outcome"] for row in rows] == ["predicted", "pending"]
    assert (rows[0]["price"], rows[0]["model_version"], rows[0]["duration_ms"]) == (
        208500.0,
        "1",
        12.5,
    )
    columns = "interval_lower", "interval_upper", "prediction", "warnings"
    assert tuple(rows[0][column] for column in columns) == rest
    assert rows[1]["warnings"] is None
    assert rows[0]["data"] == "1"


def test_each_input_gets_its_own_number_when_many_entries_are_written_at_once(
    log: LogWriter, log_path: Path
) -> None:
    earlier = log.write([NewInput(f"e{i}", "1", OutcomeKind.PENDING) for i in range(100)])
    new = [NewInput(f"r{i}", str(i), OutcomeKind.LOGGED) for i in range(100)]
    outcomes = [
        Outcome(number, f"e{i}", OutcomeKind.PREDICTED, 1.0, float(i), "1")
        for i, number in enumerate(earlier)
    ]
    entries = [each for pair in zip(new, outcomes, strict=True) for each in pair]

    numbers = log.write([*entries[:50], Heartbeat(), *entries[50:]])

    rows = {row["id"]: row for row in read_inputs(log_path, settled=False)}
    assert len(rows) == 200
    for entry, number in zip(new, numbers, strict=True):
        assert (rows[number]["request_id"], rows[number]["data"]) == (entry.request_id, entry.data)
    assert [rows[each.input_number]["price"] for each in outcomes] == list(range(100))


def test_nothing_is_written_when_one_entry_can_not_be(log: LogWriter, log_path: Path) -> None:
    record(log, "r1")
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON inputs WHEN new.request_id = 'bad' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )

    with pytest.raises(InputLogUnavailable):
        log.write([NewInput(each, "1", OutcomeKind.LOGGED) for each in ("r2", "bad", "r3")])

    assert [row["request_id"] for row in read_inputs(log_path, settled=False)] == ["r1"]


def test_numbers_are_never_used_again_when_rows_are_deleted(log: LogWriter, log_path: Path) -> None:
    number = record(log, "r1")
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("DELETE FROM inputs")

    assert record(log, "r2", "2") > number


def test_reader_does_not_stop_the_log(log: LogWriter, log_path: Path) -> None:
    record(log, "r1")
    with closing(sqlite3.connect(log_path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM inputs").fetchone() == (1,)

        record(log, "r2", "2")

        assert reader.execute("SELECT count(*) FROM inputs").fetchone() == (1,)
    assert len(read_inputs(log_path, settled=False)) == 2


def test_inputs_are_kept_when_the_log_is_opened_again(
    writer_class: type[LogWriter], log_path: Path
) -> None:
    for number in range(3):
        with open_log(writer_class, f"sqlite:///{log_path}") as log:
            record(log, f"r{number}")

    assert [row["request_id"] for row in read_inputs(log_path, settled=False)] == ["r0", "r1", "r2"]


@on_each_database
def test_heartbeats_of_two_gateways_do_not_collide_when_they_come_at_once(
    log_url: str, writer_class: type[LogWriter]
) -> None:
    both_ready = threading.Barrier(2)

    def beat(log: LogWriter) -> None:
        both_ready.wait(60)
        for _ in range(30):
            log.write([Heartbeat()])

    with (
        open_log(writer_class, log_url) as first,
        open_log(writer_class, log_url) as second,
        ThreadPoolExecutor(2) as threads,
    ):
        record(first, "r1")  # makes the tables
        for beating in [threads.submit(beat, log) for log in (first, second)]:
            beating.result()


def test_heartbeat_waits_for_no_row_of_another_gateway(postgres: PostgresServer) -> None:
    url = postgres.make_schema()
    with open_log(LogWriter, url) as first, open_log(LogWriter, url) as second:
        first.write([Heartbeat()])
        engine = create_engine(url)
        with engine.begin() as other:
            other.execute(text("UPDATE heartbeat SET checked_at = checked_at - interval '2 days'"))
            second.write([Heartbeat()])  # would be given up after seconds
        engine.dispose()
        first.write([Heartbeat()])


@on_each_database
def test_heartbeats_of_gateways_long_gone_are_deleted(
    log_url: str, writer_class: type[LogWriter]
) -> None:
    with open_log(writer_class, log_url) as former:
        former.write([Heartbeat()])
    engine = create_engine(log_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE heartbeat SET checked_at = '2020-01-01 00:00:00'"))
    with open_log(writer_class, log_url) as log:
        log.write([Heartbeat()])
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM heartbeat")).scalar() == 1
    engine.dispose()


def test_heartbeats_leave_one_row_and_no_input(log: LogWriter, log_path: Path) -> None:
    log.write([Heartbeat()])
    log.write([Heartbeat()])

    assert read_inputs(log_path, settled=False) == []
    with closing(sqlite3.connect(log_path)) as connection:
        assert connection.execute("SELECT count(*) FROM heartbeat").fetchone() == (1,)


@on_each_database
def test_heartbeat_fails_when_inputs_could_not_be_written(
    log_url: str, writer_class: type[LogWriter]
) -> None:
    with open_log(writer_class, log_url) as log:
        number = record(log, "r1")
        engine = create_engine(log_url)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE inputs RENAME TO former"))
        engine.dispose()

        assert_unavailable(log, number)


def test_nothing_is_opened_before_the_first_write(log: LogWriter, log_path: Path) -> None:
    assert not log_path.parent.exists()
    log.write([Heartbeat()])
    assert log_path.exists()


def assert_unavailable(log: LogWriter, number: int) -> None:
    with pytest.raises(InputLogUnavailable):
        record(log, "lost")
    with pytest.raises(InputLogUnavailable):
        log.write([Heartbeat()])
    with pytest.raises(InputLogUnavailable):
        log.write([Outcome(number, "r1", OutcomeKind.PREDICTED, 1.0)])


@pytest.mark.usefixtures("short_wait_for_locks")
def test_log_works_again_when_another_writer_lets_go(log: LogWriter, log_path: Path) -> None:
    record(log, "r1")
    with closing(sqlite3.connect(log_path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputLogUnavailable):
            record(log, "lost")

    record(log, "r2", "2")

    assert [row["request_id"] for row in read_inputs(log_path, settled=False)] == ["r1", "r2"]


def test_log_waits_when_another_writer_is_quick(log: LogWriter, log_path: Path) -> None:
    record(log, "r1")
    with closing(sqlite3.connect(log_path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.2, other.execute, ("COMMIT",))
        release.start()

        record(log, "r2", "2")

        release.join()
    assert len(read_inputs(log_path, settled=False)) == 2


@pytest.mark.usefixtures("short_wait_for_locks")
def test_log_works_when_its_first_write_found_it_locked(log: LogWriter, log_path: Path) -> None:
    log_path.parent.mkdir()
    with closing(sqlite3.connect(log_path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputLogUnavailable):
            record(log, "lost")

    record(log, "r1")

    assert [row["request_id"] for row in read_inputs(log_path, settled=False)] == ["r1"]


def test_log_works_again_when_its_folder_can_be_made(log: LogWriter, log_path: Path) -> None:
    log_path.parent.write_text("a file in the folder's place")
    assert_unavailable(log, 1)
    log_path.parent.unlink()

    record(log, "r1")

    assert [row["request_id"] for row in read_inputs(log_path, settled=False)] == ["r1"]


def test_log_works_again_when_the_disk_is_no_longer_full(log: LogWriter, log_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of a process are of Unix")
    number = record(log, "r1")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # too little for a page and its head
    try:
        assert_unavailable(log, number)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    record(log, "r2", "2")

    assert [row["request_id"] for row in read_inputs(log_path, settled=False)] == ["r1", "r2"]


def test_file_that_is_no_database_is_left_alone(log: LogWriter, log_path: Path) -> None:
    log_path.parent.mkdir()
    log_path.write_bytes(b"letters of my grandmother " * 100)

    assert_unavailable(log, 1)

    assert log_path.read_bytes() == b"letters of my grandmother " * 100


GATEWAY = """
import sys
from gateway.input_log.database import LogDatabase
from gateway.input_log.sqlite_writer import SqliteLogWriter
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import NewInput, OutcomeKind
log = {writer}(LogDatabase(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    log.write([NewInput(sys.argv[2], str(number), OutcomeKind.LOGGED)])
"""


@on_each_database
def test_nothing_is_lost_when_several_gateways_begin_one_log_at_once(
    log_url: str, writer_class: type[LogWriter]
) -> None:
    program = GATEWAY.format(writer=writer_class.__name__)
    gateways = [
        subprocess.Popen(
            [sys.executable, "-c", program, log_url, str(number)],
            cwd=SERVICE_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for gateway in gateways:
        assert gateway.stdout
        assert gateway.stdout.readline() == "ready\n"
    for gateway in gateways:
        assert gateway.stdin
        gateway.stdin.write("go\n")
        gateway.stdin.flush()
    errors = [gateway.communicate(timeout=300)[1] for gateway in gateways]

    assert errors == [""] * 4
    with closing(LogDatabase(log_url)) as database:
        rows = [row for page in LogReader(database).export(InputFilter()) for row in page]
    assert sorted((int(row.request_id), int(row.data)) for row in rows) == [
        (gateway, number) for gateway in range(4) for number in range(25)
    ]


@on_each_database
def test_many_rows_fit_into_one_commit(log_url: str, writer_class: type[LogWriter]) -> None:
    """Seven full batches that come together have more values than SQLite takes at once."""
    inputs = [NewInput(f"r{number}", "1", OutcomeKind.PENDING) for number in range(7001)]

    with open_log(writer_class, log_url) as log:
        if log_url.startswith("sqlite"):
            # Some systems' SQLite takes more than SQLite's own default.
            event.listen(
                log._database._engine,
                "connect",
                lambda each, _: each.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766),
            )
        numbers = log.write(inputs)
        log.write(
            [
                Outcome(number, each.request_id, OutcomeKind.PREDICTED, 1, number)
                for number, each in zip(numbers, inputs, strict=True)
            ]
        )

    engine = create_engine(log_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT request_id, id, price FROM inputs ORDER BY id"))
        assert [tuple(row) for row in rows] == [
            (entry.request_id, number, number)
            for entry, number in zip(inputs, numbers, strict=True)
        ]
    engine.dispose()
