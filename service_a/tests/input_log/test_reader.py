import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from gateway.errors import InputNotFound
from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import Attempt, InputFilter, LoggedInput, LogReader, Place
from gateway.input_log.replay_queue import ReplayQueue
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import NewInput, Outcome, OutcomeKind, Span

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def reader(database: LogDatabase) -> LogReader:
    return LogReader(database)


def make_input(name: str, minute: int = 0, kind: OutcomeKind = OutcomeKind.LOGGED) -> NewInput:
    return NewInput(name[-128:], f'"{name}"', kind, received_at=NOON + timedelta(minutes=minute))


def read_data(rows: Iterable[LoggedInput]) -> list[Any]:
    return [json.loads(row.data) for row in rows]


def read_all(reader: LogReader, wanted: InputFilter, limit: int) -> list[Any]:
    """Follow the pages to their end and return the data."""
    after, data = None, []
    while True:
        page = reader.read_page(wanted, after, limit)
        data += read_data(page.rows)
        if page.next is None:
            return data
        assert len(page.rows) == limit
        after = page.next


def export(reader: LogReader, wanted: InputFilter) -> list[Any]:
    return [data for rows in reader.export(wanted) for data in read_data(rows)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_lead_from_the_newest_to_the_oldest(
    log: LogWriter, reader: LogReader, limit: int
) -> None:
    minutes = [0, 1, 1, 1, 3, 2, 4]  # several at once, and one that was committed late
    log.write([make_input(f"r{index}", minute) for index, minute in enumerate(minutes)])

    found = read_all(reader, InputFilter(), limit)

    assert found == ["r6", "r4", "r5", "r3", "r2", "r1", "r0"]


def test_page_goes_on_where_the_last_one_ended_when_inputs_come_between(
    log: LogWriter, reader: LogReader
) -> None:
    log.write([make_input(f"r{index}", index) for index in range(4)])
    first = reader.read_page(InputFilter(), None, 2)
    log.write([make_input("new", 9)])

    second = reader.read_page(InputFilter(), first.next, 2)

    assert read_data(first.rows + second.rows) == ["r3", "r2", "r1", "r0"]
    assert second.next is None


def test_pages_of_large_inputs_are_shorter(log: LogWriter, reader: LogReader) -> None:
    large = "x" * 400_000
    log.write([make_input(f"{large}{index}", index) for index in range(5)])
    everything = InputFilter()

    page = reader.read_page(everything, None, 50)

    assert len(page.rows) == 2
    rest = reader.read_page(everything, page.next, 50)
    assert [data[-1] for data in read_data(page.rows + rest.rows)] == ["4", "3", "2", "1"]
    assert [data[-1] for data in export(reader, everything)] == ["0", "1", "2", "3", "4"]


def test_filters_leave_what_fits(log: LogWriter, reader: LogReader) -> None:
    kinds = [OutcomeKind.LOGGED, OutcomeKind.UNAVAILABLE] * 3
    log.write([make_input(f"r{index}", index, kind) for index, kind in enumerate(kinds)])
    time = [NOON + timedelta(minutes=minute) for minute in range(7)]
    filters = {
        InputFilter(outcome=OutcomeKind.UNAVAILABLE): ["r5", "r3", "r1"],
        InputFilter(outcome=OutcomeKind.REJECTED): [],
        InputFilter(received_from=time[4]): ["r5", "r4"],
        InputFilter(received_before=time[2]): ["r1", "r0"],
        InputFilter(OutcomeKind.LOGGED, time[1], time[4]): ["r2"],
        InputFilter(request_id="r3"): ["r3"],
    }

    for wanted, expected in filters.items():
        assert read_all(reader, wanted, 2) == expected
        assert export(reader, wanted) == expected[::-1]


def test_times_are_compared_across_time_zones(log: LogWriter, reader: LogReader) -> None:
    log.write([make_input("r0")])
    tokyo = datetime.fromisoformat("2026-01-01T21:00:00+09:00")

    assert read_all(reader, InputFilter(received_from=tokyo), 2) == ["r0"]
    assert read_all(reader, InputFilter(received_before=tokyo), 2) == []


def test_row_holds_all_that_is_known(log: LogWriter, reader: LogReader) -> None:
    data = '{"a":[1.10,"\\u0000\\ud7ff"]}'
    (number,) = log.write([NewInput("r1", data, OutcomeKind.PENDING, "ames", NOON)])
    rest = 189000.0, 230000.0, "{}", "[]"
    log.write([Outcome(number, "r1", OutcomeKind.PREDICTED, 12.5, 208500.0, "1", NOON, *rest)])

    row, _ = reader.read_one("r1")

    assert row == LoggedInput(
        number=number,
        request_id="r1",
        received_at=NOON,
        model="ames",
        outcome="predicted",
        price=208500.0,
        interval_lower=189000.0,
        interval_upper=230000.0,
        model_version="1",
        duration_ms=12.5,
        outcome_at=NOON,
        actual_price=None,
        actual_at=None,
        prediction="{}",
        warnings="[]",
        data=data,
    )
    assert row.received_at.tzinfo == UTC


def test_earlier_attempts_are_read_oldest_first(
    log: LogWriter, reader: LogReader, database: LogDatabase
) -> None:
    log.write([NewInput("r1", "1", OutcomeKind.UNAVAILABLE, received_at=NOON)])
    queue = ReplayQueue(database)
    for minute in (1, 2):
        (claim,) = queue.claim(None, Span(), 1)
        ended = NOON + timedelta(minutes=minute)
        kind = OutcomeKind.UNAVAILABLE
        log.write([Outcome(claim.number, "r1", kind, minute, outcome_at=ended)])
    queue.claim(None, Span(), 1)

    row, earlier = reader.read_one("r1")

    assert row.outcome == "pending"
    assert earlier == [
        Attempt("unavailable", None, None),
        Attempt("unavailable", NOON + timedelta(minutes=1), 1.0),
        Attempt("unavailable", NOON + timedelta(minutes=2), 2.0),
    ]


def test_newest_input_is_read_when_several_share_a_request(
    log: LogWriter, reader: LogReader
) -> None:
    log.write([NewInput("r1", str(number), OutcomeKind.LOGGED) for number in range(3)])

    row, earlier = reader.read_one("r1")
    assert (row.data, earlier) == ("2", [])


def test_unknown_request_is_not_found(reader: LogReader) -> None:
    with pytest.raises(InputNotFound):
        reader.read_one("r1")


def test_export_has_small_pages_when_inputs_are_large(log: LogWriter, reader: LogReader) -> None:
    data = "1" * 100_000
    log.write([NewInput(f"r{index}", data, OutcomeKind.LOGGED) for index in range(6)])

    assert [len(rows) for rows in reader.export(InputFilter())] == [2, 2, 2]


def test_export_is_whole_when_it_takes_several_pages(log: LogWriter, reader: LogReader) -> None:
    log.write([make_input(f"r{index}", index // 300) for index in range(1201)])

    assert export(reader, InputFilter()) == [f"r{index}" for index in range(1201)]


@pytest.mark.parametrize(
    "place",
    [
        Place(datetime(1970, 1, 1, tzinfo=UTC), 0),
        Place(datetime(5138, 11, 16, 9, 46, 39, 999999, UTC), 10**18 - 1),
    ],
)
def test_page_after_any_place_can_be_read(reader: LogReader, place: Place) -> None:
    assert reader.read_page(InputFilter(), place, 10).rows == []


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogDatabase]:
    file = tmp_path_factory.mktemp("log") / "inputs.db"
    with closing(LogDatabase(f"sqlite:///{file}")) as database:
        LogWriter(database).write([make_input(f"r{number}", number) for number in range(5000)])
        yield database


@pytest.mark.parametrize(
    "wanted",
    [
        InputFilter(),
        InputFilter(outcome=OutcomeKind.LOGGED),
        InputFilter(outcome=OutcomeKind.REJECTED, received_from=NOON),
        InputFilter(received_from=NOON, received_before=NOON + timedelta(hours=1)),
        InputFilter(request_id="r77"),
        InputFilter(request_id="r77", outcome=OutcomeKind.LOGGED),
        InputFilter(request_id="r77", outcome=OutcomeKind.REJECTED),
        InputFilter(OutcomeKind.LOGGED, NOON, NOON + timedelta(days=1), "r77"),
        InputFilter(request_id="r78", received_before=NOON + timedelta(days=1)),
    ],
)
def test_page_is_found_without_reading_the_whole_log(
    long_log: LogDatabase, wanted: InputFilter
) -> None:
    reader = LogReader(long_log)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 100

    with long_log.transaction() as connection:
        driver_connection = cast(sqlite3.Connection, connection.connection.driver_connection)
        driver_connection.set_progress_handler(count, 100)

    reader.read_page(wanted, None, 10)
    next(reader.export(wanted), [])

    assert steps < 20_000  # of SQLite's machine; for each row there are some
