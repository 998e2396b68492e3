"""A server of PostgreSQL that hangs, or whose answer gets lost on its way."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import create_engine, text

from gateway.errors import InputLogUnavailable
from gateway.input_log import postgresql as module
from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import InputFilter, LogReader
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import Heartbeat, NewInput, Outcome, OutcomeKind
from gateway.settings import SERVICE_FOLDER
from tests.databases import PgBouncer, PostgresProxy, PostgresServer


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[PostgresProxy]:
    proxy = PostgresProxy(postgres)
    yield proxy
    proxy.close()


@pytest.fixture
def schema_url(postgres: PostgresServer) -> str:
    return postgres.make_schema()


@pytest.fixture
def database(proxy: PostgresProxy, schema_url: str) -> Iterator[LogDatabase]:
    database = LogDatabase(proxy.get_url(schema_url))
    yield database
    database.close()


@pytest.fixture
def log(database: LogDatabase) -> LogWriter:
    return LogWriter(database)


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.LimitedConnection, "statement_seconds", 0.5)


def record(log: LogWriter, *names: str) -> list[int]:
    return log.write([NewInput(name, "1", OutcomeKind.LOGGED) for name in names])


def read_names(schema_url: str) -> list[str]:
    engine = create_engine(schema_url)
    with engine.connect() as connection:
        names = list(
            connection.execute(text("SELECT request_id FROM inputs ORDER BY id")).scalars()
        )
    engine.dispose()
    return names


@pytest.mark.usefixtures("short_times")
def test_log_is_unavailable_while_the_server_does_not_answer_and_works_again_when_it_does(
    log: LogWriter, proxy: PostgresProxy, schema_url: str
) -> None:
    record(log, "r1")
    proxy.heard = lambda _: False
    for _ in range(2):  # through a connection that was open, and through a new one
        started = time.monotonic()
        with pytest.raises(InputLogUnavailable):
            record(log, "lost")
        assert time.monotonic() - started < 30

    proxy.heard = lambda _: True
    record(log, "r2")

    assert read_names(schema_url) == ["r1", "r2"]


def cut_at_commit(proxy: PostgresProxy, *, passes_on: bool) -> None:
    """End the connection while COMMIT is under way, with or without its reaching the server."""

    def listen(said: bytes) -> bool:
        if b"COMMIT" not in said:
            return True
        proxy.heard = lambda _: True
        proxy.cuts_at_answer = passes_on
        if not passes_on:
            proxy.cut()
        return passes_on

    proxy.heard = listen


def test_commit_counts_when_only_its_answer_is_lost(
    log: LogWriter, proxy: PostgresProxy, schema_url: str
) -> None:
    (first,) = record(log, "r1")
    cut_at_commit(proxy, passes_on=True)

    assert record(log, "r2", "r3") == [first + 1, first + 2]

    assert read_names(schema_url) == ["r1", "r2", "r3"]


def test_commit_does_not_count_when_it_never_reached_the_server(
    log: LogWriter, proxy: PostgresProxy, schema_url: str
) -> None:
    record(log, "r1")
    cut_at_commit(proxy, passes_on=False)

    with pytest.raises(InputLogUnavailable):
        record(log, "r2")

    record(log, "r3")
    assert read_names(schema_url) == ["r1", "r3"]


SLOW_COMMIT = (
    """
CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN IF new.request_id = 'slow' THEN PERFORM pg_sleep(60); END IF; RETURN null; END$$
""",
    """
CREATE CONSTRAINT TRIGGER sleep AFTER INSERT ON inputs DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION sleep()
""",
)


@pytest.fixture(scope="module")
def bouncer(postgres: PostgresServer) -> Iterator[PgBouncer]:
    if shutil.which("pgbouncer") is None:
        pytest.skip("PgBouncer is not installed")
    with TemporaryDirectory() as folder:
        bouncer = PgBouncer(postgres, Path(folder))
        yield bouncer
        bouncer.stop()


def test_no_outcome_stays_pending_behind_a_pooler_of_transactions(bouncer: PgBouncer) -> None:
    def write_all(log: LogWriter, name: str) -> None:
        for index in range(20):  # the driver prepares what it does often
            names = [f"{name}{index}", f"{name}{index}+"]
            numbers = log.write([NewInput(each, "1", OutcomeKind.PENDING) for each in names])
            log.write(
                [
                    Heartbeat(),
                    *(
                        Outcome(number, request_id, OutcomeKind.UNAVAILABLE, 1.0)
                        for number, request_id in zip(numbers, names, strict=True)
                    ),
                ]
            )

    with ExitStack() as opened, ThreadPoolExecutor(4) as threads:
        databases = [opened.enter_context(closing(LogDatabase(bouncer.url))) for _ in range(4)]
        writing = [
            threads.submit(write_all, LogWriter(database), name)
            for name, database in zip("abcd", databases, strict=True)
        ]
        for each in writing:
            each.result()
        pages = LogReader(databases[0]).export(InputFilter())
        outcomes = [row.outcome for rows in pages for row in rows]

    assert outcomes == [OutcomeKind.UNAVAILABLE] * 160


def test_commit_through_a_pooler_counts_when_only_its_answer_is_lost(bouncer: PgBouncer) -> None:
    proxy = PostgresProxy(bouncer)
    with closing(proxy), closing(LogDatabase(proxy.get_url(""))) as database:
        log = LogWriter(database)
        (first,) = record(log, "r1")
        cut_at_commit(proxy, passes_on=True)

        assert record(log, "r2", "r3") == [first + 1, first + 2]


@pytest.mark.parametrize("is_pooled", [False, True], ids=["direct", "pooled"])
@pytest.mark.usefixtures("short_times")
def test_commit_that_takes_too_long_is_ended_and_does_not_come_later(
    is_pooled: bool, request: pytest.FixtureRequest
) -> None:
    url = (
        request.getfixturevalue("bouncer").url
        if is_pooled
        else request.getfixturevalue("schema_url")
    )
    engine = create_engine(url)
    with closing(LogDatabase(url)) as database:
        log = LogWriter(database)
        record(log, "r1")
        with engine.begin() as connection:
            for statement in SLOW_COMMIT:
                connection.exec_driver_sql(statement)

        with pytest.raises(InputLogUnavailable):
            record(log, "slow")

        with engine.connect() as connection:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'"
            )
            assert connection.execute(text(query)).scalar() == 0
        engine.dispose()
        record(log, "r2")
    assert read_names(url)[-2:] == ["r1", "r2"]


def test_what_is_under_way_fails_soon_when_the_database_is_stopped(
    log: LogWriter, database: LogDatabase
) -> None:
    record(log, "r1")
    with closing(database), ThreadPoolExecutor(1) as thread:
        begun = threading.Event()

        def sleep() -> None:
            with database.transaction() as connection:
                begun.set()
                connection.execute(text("SELECT pg_sleep(60)"))

        sleeping = thread.submit(sleep)
        assert begun.wait(60)
        started = time.monotonic()
        database.stop()
        with pytest.raises(InputLogUnavailable):
            sleeping.result()
        assert time.monotonic() - started < 30


def ask(port: int, path: str) -> int | None:
    caller = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        caller.request("GET", path)
        return caller.getresponse().status
    except OSError:
        return None
    finally:
        caller.close()


def test_gateway_starts_and_stops_while_the_server_is_halted(
    postgres: PostgresServer, schema_url: str, free_port: int
) -> None:
    postgres.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "main.py"],
            cwd=SERVICE_FOLDER,
            env={**os.environ, "PORT": str(free_port), "INPUT_LOG_URL": schema_url},
            stdout=subprocess.DEVNULL,
        )
        while ask(free_port, "/") is None:
            assert time.monotonic() - started < 60  # the server would be silent for ever
            time.sleep(0.05)
        with ThreadPoolExecutor(9) as callers:
            asked = [callers.submit(ask, free_port, path) for path in ["/health", "/inputs"] * 4]
            asked.append(callers.submit(ask, free_port, "/inputs/export"))
            assert asked[0].result() == 503
            process.terminate()
            assert process.wait(60) == 0
            assert {each.result() for each in asked} <= {503, None}
    finally:
        postgres.signal(signal.SIGCONT)
        process.kill()
        process.wait()
