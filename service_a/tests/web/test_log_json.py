import json
import re
from datetime import UTC, datetime

import pytest

from gateway.input_log.reader import Attempt, LoggedInput, Place
from gateway.web.log_json import CURSOR, read_cursor, write_cursor, write_input

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROW = LoggedInput(
    number=7,
    request_id="r1",
    received_at=NOON,
    model="ames",
    outcome="predicted",
    price=208500.0,
    interval_lower=189000.0,
    interval_upper=230000.0,
    model_version="1",
    duration_ms=12.5,
    outcome_at=NOON.replace(microsecond=1500),
    actual_price=215000.0,
    actual_at=NOON,
    prediction=None,
    warnings=None,
    data='{"a":[1.10,"\\u0000\\ud7ff"]}',
)


def test_input_is_written_with_its_data_as_it_was_sent() -> None:
    assert write_input(ROW) == (
        b'{"number":7,"request_id":"r1","received_at":"2026-01-01T12:00:00Z","model":"ames",'
        b'"outcome":"predicted","price":208500.0,"interval_lower":189000.0,'
        b'"interval_upper":230000.0,"model_version":"1","duration_ms":12.5,'
        b'"outcome_at":"2026-01-01T12:00:00.001500Z","actual_price":215000.0,'
        b'"actual_at":"2026-01-01T12:00:00Z","prediction":null,"warnings":null,'
        b'"data":{"a":[1.10,"\\u0000\\ud7ff"]}}'
    )


def test_prediction_is_written_as_the_log_has_it_where_it_is_no_price() -> None:
    written = json.loads(write_input(ROW._replace(prediction='{"species":"setosa"}')))

    assert written["prediction"] == {"species": "setosa"}


def test_warnings_are_written_as_the_log_has_them() -> None:
    warnings = [{"fields": ["garage_cars"], "msg": "No garage"}]
    written = json.loads(write_input(ROW._replace(warnings=json.dumps(warnings))))

    assert written["warnings"] == warnings


def test_earlier_attempts_are_written_when_they_are_given() -> None:
    attempts = [Attempt("unavailable", None, None), Attempt("unavailable", NOON, 1.5)]

    assert json.loads(write_input(ROW, []))["earlier_attempts"] == []
    assert json.loads(write_input(ROW, attempts))["earlier_attempts"] == [
        {"outcome": "unavailable", "outcome_at": None, "duration_ms": None},
        {"outcome": "unavailable", "outcome_at": "2026-01-01T12:00:00Z", "duration_ms": 1.5},
    ]


@pytest.mark.parametrize(
    ("cursor", "place"),
    [
        ("0-0", Place(datetime(1970, 1, 1, tzinfo=UTC), 0)),
        ("1767268800000001-12", Place(NOON.replace(microsecond=1), 12)),
        (
            "99999999999999999-999999999999999999",
            Place(datetime(5138, 11, 16, 9, 46, 39, 999999, UTC), 10**18 - 1),
        ),
    ],
)
def test_every_text_that_looks_like_a_cursor_is_one(cursor: str, place: Place) -> None:
    assert re.fullmatch(CURSOR, cursor)
    assert read_cursor(cursor) == place
    assert write_cursor(place) == f'"{cursor}"'.encode()


def test_cursor_of_the_last_page_is_null() -> None:
    assert write_cursor(None) == b"null"
