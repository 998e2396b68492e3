from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gateway.errors import InvalidInput
from gateway.input_log import actuals as module
from gateway.input_log.actuals import MAX_PRICE, Actual, ActualsLog
from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import InputFilter, LogReader
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import NewInput, Outcome, OutcomeKind


@pytest.fixture
def actuals(database: LogDatabase) -> ActualsLog:
    return ActualsLog(database)


def predict(log: LogWriter, *names: str, price: float | None = 100.0) -> list[int]:
    numbers = log.write([NewInput(name, "1", OutcomeKind.PENDING) for name in names])
    outcomes = [
        Outcome(number, name, OutcomeKind.PREDICTED, 1.0, price)
        for number, name in zip(numbers, names, strict=True)
    ]
    log.write(outcomes)
    return numbers


def read_prices(database: LogDatabase) -> list[float | None]:
    pages = LogReader(database).export(InputFilter())
    return [row.actual_price for page in pages for row in page]


def refuse(actuals: ActualsLog, *given: Actual) -> list[Any]:
    with pytest.raises(InvalidInput) as refusal:
        actuals.record(given)
    return [(each["loc"], each["type"]) for each in refusal.value.problems]


def test_price_is_kept_by_number_and_by_request(
    log: LogWriter, actuals: ActualsLog, database: LogDatabase
) -> None:
    (first, _, _) = predict(log, "r1", "r2", "r3")

    assert actuals.record([Actual(199999.99, number=first), Actual(0.1, request_id="r3")]) == []

    assert read_prices(database) == [199999.99, None, 0.1]
    row, _ = LogReader(database).read_one("r3")
    assert row.actual_at
    assert abs(datetime.now(UTC) - row.actual_at) < timedelta(minutes=1)


def test_latest_price_counts(log: LogWriter, actuals: ActualsLog, database: LogDatabase) -> None:
    predict(log, "r1")
    actuals.record([Actual(1.0, request_id="r1")])
    earlier = LogReader(database).read_one("r1")[0].actual_at

    actuals.record([Actual(2.0, request_id="r1")])

    row, _ = LogReader(database).read_one("r1")
    assert row.actual_price == 2.0
    assert row.actual_at
    assert earlier
    assert row.actual_at > earlier


def test_what_is_not_in_the_log_is_passed_over(
    log: LogWriter, actuals: ActualsLog, database: LogDatabase
) -> None:
    predict(log, "r1")
    unknown = [Actual(2.0, number=2**63 - 1), Actual(3.0, request_id="r2")]

    assert actuals.record([unknown[0], Actual(1.0, request_id="r1"), unknown[1]]) == unknown
    assert actuals.record(unknown) == unknown

    assert read_prices(database) == [1.0]


def test_nothing_is_kept_when_one_input_was_not_predicted(
    log: LogWriter, actuals: ActualsLog, database: LogDatabase
) -> None:
    predict(log, "r1")
    log.write([NewInput(kind, "1", kind) for kind in OutcomeKind if kind != "predicted"])
    others = [Actual(1.0, request_id=kind) for kind in OutcomeKind if kind != "predicted"]

    problems = refuse(actuals, Actual(1.0, request_id="r1"), *others)

    assert problems == [([place, "request_id"], "not_predicted") for place in (1, 2, 3, 4)]
    assert read_prices(database) == [None] * 5


@pytest.mark.parametrize("price", [None, -2 * MAX_PRICE])
def test_prediction_without_a_price_has_no_actual_price(
    log: LogWriter, actuals: ActualsLog, price: float | None
) -> None:
    (number,) = predict(log, "r1", price=price)

    assert refuse(actuals, Actual(1.0, number=number)) == [([0, "number"], "not_predicted")]


def test_request_of_several_inputs_needs_their_numbers(
    log: LogWriter, actuals: ActualsLog, database: LogDatabase
) -> None:
    numbers = predict(log, "r1", "r1")

    assert refuse(actuals, Actual(1.0, request_id="r1")) == [
        ([0, "request_id"], "ambiguous_request")
    ]
    assert actuals.record([Actual(float(number), number=number) for number in numbers]) == []
    assert read_prices(database) == numbers


def test_two_prices_for_one_input_are_refused(
    log: LogWriter, actuals: ActualsLog, database: LogDatabase
) -> None:
    (number,) = predict(log, "r1")
    for first, second in (
        (Actual(1.0, number=number), Actual(1.0, request_id="r1")),
        (Actual(1.0, request_id="unknown"), Actual(2.0, request_id="unknown")),
    ):
        ((place, kind),) = refuse(actuals, first, second)
        assert (place, kind) == ([1, "request_id"], "duplicate_input")
    assert read_prices(database) == [None]


def test_all_is_looked_up_anew_when_an_input_is_deleted_meanwhile(
    log: LogWriter, actuals: ActualsLog, database: LogDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(log, "r1", "r2")
    look_up = actuals._look_up

    def look_up_and_delete(given: Any) -> Any:
        found = look_up(given)
        with database.transaction() as connection:
            connection.execute(text("DELETE FROM inputs WHERE request_id = 'r1'"))
        return found

    monkeypatch.setattr(actuals, "_look_up", look_up_and_delete)
    gone = Actual(1.0, request_id="r1")

    assert actuals.record([gone, Actual(2.0, request_id="r2")]) == [gone]
    assert read_prices(database) == [2.0]


class FakeClock:
    """Time passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rests: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)


@pytest.mark.parametrize(("commit_seconds", "rest_seconds"), [(0.1, 0.2), (1.9, 0.5)])
def test_log_rests_after_a_commit_but_not_for_as_long_as_another_process_had_it(
    log: LogWriter,
    actuals: ActualsLog,
    monkeypatch: pytest.MonkeyPatch,
    commit_seconds: float,
    rest_seconds: float,
) -> None:
    predict(log, "r1")
    clock = FakeClock()

    def write(_: object) -> bool:
        clock.now += commit_seconds
        return True

    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(actuals, "_write", write)

    actuals.record([Actual(1.0, request_id="r1")])

    assert clock.rests == [pytest.approx(rest_seconds)]


def test_as_many_as_one_call_may_have_are_kept(
    log: LogWriter, actuals: ActualsLog, database: LogDatabase
) -> None:
    numbers = predict(log, *["r1"] * 1000)

    assert actuals.record([Actual(number + 0.99, number=number) for number in numbers]) == []

    assert read_prices(database) == [number + 0.99 for number in numbers]
