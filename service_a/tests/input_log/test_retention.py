import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.input_log.reader import InputFilter, LogReader
from gateway.input_log.replay_queue import ReplayQueue
from gateway.input_log.retention import Retention
from gateway.input_log.writer import InputLog
from gateway.intake.entries import NewInput, OutcomeKind


@pytest.fixture
def log(log_url: str) -> Iterator[InputLog]:
    log = InputLog(log_url)
    yield log
    log.close()


def fill(log: InputLog, count: int) -> None:
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


def delete_all(url: str, *, max_days: float | None = None, max_inputs: int | None = None) -> int:
    """Step until nothing is left to delete; return the number of steps that deleted something."""
    retention, steps = Retention(url, max_days=max_days, max_inputs=max_inputs), 0
    while retention.delete_step():
        steps += 1
    retention.close()
    return steps


def read_data(url: str) -> list[int]:
    reader = LogReader(url)
    lines = b"".join(reader.export(InputFilter())).splitlines()
    reader.close()
    return [json.loads(line)["data"] for line in lines]


def test_inputs_go_when_they_are_too_old(log: InputLog, log_url: str) -> None:
    fill(log, 10)

    delete_all(log_url, max_days=3.5)

    assert read_data(log_url) == [7, 8, 9]


def test_oldest_inputs_go_when_there_are_too_many(log: InputLog, log_url: str) -> None:
    fill(log, 10)

    delete_all(log_url, max_inputs=4)

    assert read_data(log_url) == [6, 7, 8, 9]


def test_nothing_goes_when_no_limit_is_set(log: InputLog, log_url: str) -> None:
    fill(log, 10)

    assert delete_all(log_url) == 0
    assert len(read_data(log_url)) == 10


def test_many_inputs_go_in_small_steps(log: InputLog, log_url: str) -> None:
    fill(log, 450)

    assert delete_all(log_url, max_days=1.5, max_inputs=400) == 3
    assert read_data(log_url) == [449]


def test_attempts_go_with_their_input(log: InputLog, log_url: str) -> None:
    fill(log, 2)
    queue = ReplayQueue(log_url)
    queue.claim(2)
    queue.close()

    delete_all(log_url, max_inputs=1)

    reader = LogReader(log_url)
    with reader._database.transaction() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM attempts").scalar()
    reader.close()
    assert count == 1
