import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.input_log import retention as module
from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import InputFilter, LogReader
from gateway.input_log.replay_queue import ReplayQueue
from gateway.input_log.retention import Retention
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import NewInput, OutcomeKind, Span
from tests.databases import PostgresServer
from tests.serving.running_server import wait_until


def fill(log: LogWriter, count: int) -> None:
    """The first is `count` days old, the last one day."""
    now = datetime.now(UTC)
    log.write(
        [
            NewInput(
                f"r{index}",
                str(index),
                OutcomeKind.UNAVAILABLE,
                received_at=now - timedelta(days=count - index),
            )
            for index in range(count)
        ]
    )


def delete_all(
    database: LogDatabase, *, max_days: float | None = None, max_inputs: int | None = None
) -> int:
    """Step until nothing is left to delete; return the number of steps that deleted something."""
    retention, steps = Retention(database, max_days=max_days, max_inputs=max_inputs), 0
    while retention.delete_step():
        steps += 1
    return steps


def read_data(database: LogDatabase) -> list[int]:
    pages = LogReader(database).export(InputFilter())
    return [int(row.data) for rows in pages for row in rows]


def test_inputs_go_when_they_are_too_old(log: LogWriter, database: LogDatabase) -> None:
    fill(log, 10)

    delete_all(database, max_days=3.5)

    assert read_data(database) == [7, 8, 9]


def test_oldest_inputs_go_when_there_are_too_many(log: LogWriter, database: LogDatabase) -> None:
    fill(log, 10)

    delete_all(database, max_inputs=4)

    assert read_data(database) == [6, 7, 8, 9]


def test_nothing_goes_when_no_limit_is_set(log: LogWriter, database: LogDatabase) -> None:
    fill(log, 10)

    assert delete_all(database) == 0
    assert len(read_data(database)) == 10


def test_many_inputs_go_in_small_steps(log: LogWriter, database: LogDatabase) -> None:
    fill(log, 450)

    assert delete_all(database, max_days=1.5, max_inputs=400) == 3
    assert read_data(database) == [449]


def test_attempts_go_with_their_input(log: LogWriter, database: LogDatabase) -> None:
    fill(log, 2)
    ReplayQueue(database).claim(None, Span(), 2)

    delete_all(database, max_inputs=1)

    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM attempts").scalar() == 1


def test_rounds_go_on_when_the_log_was_unavailable(
    log_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_ROUND_SECONDS", 0.001)
    caplog.set_level("INFO")

    async def wait_for(event: str) -> None:
        await asyncio.to_thread(wait_until, lambda: event in caplog.messages)

    async def run(database: LogDatabase) -> None:
        running = asyncio.create_task(Retention(database, max_days=None, max_inputs=10).run())
        await wait_for("retention failed")
        log_path.parent.unlink()
        fill(LogWriter(database), 450)
        await wait_for("old inputs are deleted")
        running.cancel()

    log_path.parent.write_text("a file in the folder's place")
    with closing(LogDatabase(f"sqlite:///{log_path}")) as database:
        asyncio.run(run(database))
        assert read_data(database) == [*range(440, 450)]


def test_nothing_is_looked_for_when_no_limit_is_set(database: LogDatabase) -> None:
    asyncio.run(Retention(database, max_days=None, max_inputs=None).run())  # ends at once


def test_gateways_that_delete_at_once_take_other_inputs_and_wait_for_none(
    postgres: PostgresServer,
) -> None:
    url = postgres.make_schema()
    with closing(LogDatabase(url)) as database, closing(LogDatabase(url)) as other:
        fill(LogWriter(database), 450)
        retention = Retention(other, max_days=None, max_inputs=100)
        with database.transaction() as connection:
            # As another gateway's step does, which hasn't ended.
            connection.exec_driver_sql("DELETE FROM inputs WHERE id <= 200")
            assert [retention.delete_step() for _ in range(2)] == [150, 0]

        assert read_data(other) == [*range(350, 450)]
