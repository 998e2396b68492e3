import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.errors import InputNotFound
from gateway.input_log.reader import CURSOR, InputFilter, LogReader, Place
from gateway.input_log.writer import InputLog
from gateway.intake.entries import NewInput, Outcome, OutcomeKind

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def log(log_url: str) -> Iterator[InputLog]:
    log = InputLog(log_url)
    yield log
    log.close()


@pytest.fixture
def reader(log_url: str, log: InputLog) -> Iterator[LogReader]:
    log.write([])
    reader = LogReader(log_url)
    yield reader
    reader.close()


def make_input(name: str, minute: int = 0, kind: OutcomeKind = OutcomeKind.LOGGED) -> NewInput:
    return NewInput(name[-128:], f'"{name}"', kind, received_at=NOON + timedelta(minutes=minute))


def read_all(reader: LogReader, wanted: InputFilter, limit: int) -> list[str]:
    """Follow the pages to their end and return the data."""
    after, data = None, []
    while True:
        page = reader.read_page(wanted, after, limit)
        data += [json.loads(row)["data"] for row in page.rows]
        if page.next_cursor is None:
            return data
        assert len(page.rows) == limit
        after = Place.from_cursor(page.next_cursor)


def export(reader: LogReader, wanted: InputFilter) -> list[Any]:
    return [json.loads(line) for line in b"".join(reader.export(wanted)).splitlines()]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_lead_from_the_newest_to_the_oldest(
    log: InputLog, reader: LogReader, limit: int
) -> None:
    minutes = [0, 1, 1, 1, 3, 2, 4]  # several at once, and one that was committed late
    log.write([make_input(f"r{index}", minute) for index, minute in enumerate(minutes)])

    found = read_all(reader, InputFilter(), limit)

    assert found == ["r6", "r4", "r5", "r3", "r2", "r1", "r0"]


def test_page_goes_on_where_the_last_one_ended_when_inputs_come_between(
    log: InputLog, reader: LogReader
) -> None:
    log.write([make_input(f"r{index}", index) for index in range(4)])
    first = reader.read_page(InputFilter(), None, 2)
    log.write([make_input("new", 9)])

    assert first.next_cursor is not None
    second = reader.read_page(InputFilter(), Place.from_cursor(first.next_cursor), 2)

    assert [json.loads(row)["data"] for row in second.rows] == ["r1", "r0"]
    assert second.next_cursor is None


def test_pages_of_large_inputs_are_shorter(log: InputLog, reader: LogReader) -> None:
    large = "x" * 1_500_000
    log.write([make_input(f"{large}{index}", index) for index in range(5)])
    everything = InputFilter()

    page = reader.read_page(everything, None, 50)

    assert len(page.rows) == 2
    assert page.next_cursor is not None
    rest = reader.read_page(everything, Place.from_cursor(page.next_cursor), 50)
    assert [json.loads(row)["data"][-1] for row in page.rows + rest.rows] == ["4", "3", "2", "1"]
    assert [row["data"][-1] for row in export(reader, everything)] == ["0", "1", "2", "3", "4"]


def test_filters_leave_what_fits(log: InputLog, reader: LogReader) -> None:
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
        assert [line["data"] for line in export(reader, wanted)] == expected[::-1]


def test_times_are_compared_across_time_zones(log: InputLog, reader: LogReader) -> None:
    log.write([make_input("r0")])
    tokyo = datetime.fromisoformat("2026-01-01T21:00:00+09:00")

    assert read_all(reader, InputFilter(received_from=tokyo), 2) == ["r0"]
    assert read_all(reader, InputFilter(received_before=tokyo), 2) == []


def test_record_tells_all_that_is_known(log: InputLog, reader: LogReader) -> None:
    data = '{"a":[1.10,"\\u0000\\ud7ff"]}'
    (number,) = log.write([NewInput("r1", data, OutcomeKind.PENDING, "ames", NOON)])
    log.write([Outcome(number, OutcomeKind.PREDICTED, 12.5, 208500.0, "1", NOON)])

    assert json.loads(reader.read_one("r1")) == {
        "number": number,
        "request_id": "r1",
        "received_at": "2026-01-01T12:00:00Z",
        "model": "ames",
        "outcome": "predicted",
        "price": 208500.0,
        "model_version": "1",
        "duration_ms": 12.5,
        "outcome_at": "2026-01-01T12:00:00Z",
        "earlier_attempts": [],
        "data": {"a": [1.1, "\x00\ud7ff"]},
    }


def test_newest_input_is_read_when_several_share_a_request(
    log: InputLog, reader: LogReader
) -> None:
    log.write([NewInput("r1", str(number), OutcomeKind.LOGGED) for number in range(3)])

    assert json.loads(reader.read_one("r1"))["data"] == 2


def test_unknown_request_is_not_found(reader: LogReader) -> None:
    with pytest.raises(InputNotFound):
        reader.read_one("r1")


def test_export_is_whole_when_it_takes_several_pages(log: InputLog, reader: LogReader) -> None:
    log.write([make_input(f"r{index}", index // 300) for index in range(1201)])

    assert [line["data"] for line in export(reader, InputFilter())] == [
        f"r{index}" for index in range(1201)
    ]


@pytest.mark.parametrize("cursor", ["0-0", "99999999999999999-999999999999999999"])
def test_every_text_that_looks_like_a_cursor_is_one(reader: LogReader, cursor: str) -> None:
    assert re.fullmatch(CURSOR, cursor)

    assert reader.read_page(InputFilter(), Place.from_cursor(cursor), 10).rows == []
