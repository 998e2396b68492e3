import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import fmean, median

import pytest

from gateway.input_log import quality as module
from gateway.input_log.actuals import Actual, ActualsLog
from gateway.input_log.database import LogDatabase
from gateway.input_log.quality import QualityFilter, QualityReader, estimate_coverage
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import NewInput, Outcome, OutcomeKind

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVERYTHING = QualityFilter()


@pytest.fixture
def reader(database: LogDatabase) -> QualityReader:
    return QualityReader(database)


def predict(
    log: LogWriter,
    database: LogDatabase,
    *cases: tuple[float, float | None],
    model: str | None = None,
    version: str | None = "1",
    has_interval: bool = True,
    at: datetime = NOON,
) -> None:
    """Log a prediction for each pair of a price and, if it is known, an actual price.

    Each interval is of 10% of the price in either direction.
    """
    numbers = log.write([NewInput("r1", "1", OutcomeKind.PENDING, model, at) for _ in cases])
    log.write(
        [
            Outcome(
                number,
                "r1",
                OutcomeKind.PREDICTED,
                1.0,
                price,
                version,
                at,
                *((0.9 * price, 1.1 * price) if has_interval else ()),
            )
            for number, (price, _) in zip(numbers, cases, strict=True)
        ]
    )
    ActualsLog(database).record(
        [
            Actual(actual, number)
            for number, (_, actual) in zip(numbers, cases, strict=True)
            if actual is not None
        ]
    )


def test_figures_are_those_of_the_definitions(
    log: LogWriter, database: LogDatabase, reader: QualityReader
) -> None:
    cases = [(120.0, 100.0), (90.0, 100.0), (101.0, 100.0), (200.0, 400.0), (50.0, None)]
    predict(log, database, *cases)

    (found,) = reader.read(EVERYTHING, None)

    assert (found.model, found.model_version) == (None, "1")
    assert (found.predicted, found.with_actual) == (5, 4)
    assert found.mape == pytest.approx((0.2 + 0.1 + 0.01 + 0.5) / 4)
    assert found.median_ape == pytest.approx((0.1 + 0.2) / 2)
    assert found.bias == pytest.approx((0.2 - 0.1 + 0.01 - 0.5) / 4)
    assert found.within_10_percent == 0.5
    assert found.coverage == estimate_coverage(1, 4)


@pytest.mark.parametrize("count", [1, 2, 37])
def test_figures_agree_with_those_computed_from_the_rows(
    log: LogWriter, database: LogDatabase, reader: QualityReader, count: int
) -> None:
    random.seed(count)
    cases = {
        version: [(random.lognormvariate(12, 0.4), random.lognormvariate(12, 0.4)) for _ in names]
        for version, names in (("1", range(count)), ("2", range(count + 1)))
    }
    for version, of_version in cases.items():
        predict(log, database, *of_version, version=version)

    found = reader.read(EVERYTHING, None)

    for quality, of_version in zip(found, cases.values(), strict=True):
        errors = [(price - actual) / actual for price, actual in of_version]
        sizes = [abs(error) for error in errors]
        assert quality.mape == pytest.approx(fmean(sizes))
        assert quality.median_ape == pytest.approx(median(sizes))
        assert quality.bias == pytest.approx(fmean(errors))
        assert quality.within_10_percent == fmean(size <= 0.1 for size in sizes)
        covered = [0.9 * price <= actual <= 1.1 * price for price, actual in of_version]
        assert quality.coverage
        assert quality.coverage.value == fmean(covered)


def test_versions_without_an_actual_price_or_an_interval_have_no_such_figures(
    log: LogWriter, database: LogDatabase, reader: QualityReader
) -> None:
    predict(log, database, (1.0, None), version="1")
    predict(log, database, (1.0, 1.0), version="2", has_interval=False)
    log.write([NewInput("r1", "1", OutcomeKind.UNAVAILABLE)])

    first, second = reader.read(EVERYTHING, None)

    assert first == (None, "1", 1, 0, None, None, None, None, None)
    assert (second.with_actual, second.mape, second.coverage) == (1, 0.0, None)


def read_names(
    reader: QualityReader, wanted: QualityFilter = EVERYTHING, default_model: str | None = None
) -> Sequence[tuple[str | None, str | None, int, int]]:
    return [each[:4] for each in reader.read(wanted, default_model)]


def test_inputs_for_the_default_model_are_those_of_its_name_when_that_is_known(
    log: LogWriter, database: LogDatabase, reader: QualityReader
) -> None:
    predict(log, database, (1.0, 1.0), (2.0, 1.0))
    predict(log, database, (1.0, 1.0), model="ames")
    predict(log, database, (1.0, 1.0), model="california", version=None)

    assert read_names(reader) == [
        (None, "1", 2, 2),
        ("ames", "1", 1, 1),
        ("california", None, 1, 1),
    ]
    assert read_names(reader, default_model="ames") == [
        ("ames", "1", 3, 3),
        ("california", None, 1, 1),
    ]
    assert read_names(reader, QualityFilter(model="ames"), "ames") == [("ames", "1", 3, 3)]
    assert read_names(reader, QualityFilter(model="ames")) == [("ames", "1", 1, 1)]


def test_filters_leave_what_fits(
    log: LogWriter, database: LogDatabase, reader: QualityReader
) -> None:
    for minute, version in enumerate(["9", "10", "10"]):
        at = NOON + timedelta(minutes=minute)
        predict(log, database, (1.0, 1.0), version=version, at=at)
    time = [NOON + timedelta(minutes=minute) for minute in range(3)]

    for wanted, expected in {
        EVERYTHING: [("9", 1), ("10", 2)],
        QualityFilter(model_version="10"): [("10", 2)],
        QualityFilter(received_from=time[2]): [("10", 1)],
        QualityFilter(received_before=time[1]): [("9", 1)],
        QualityFilter(received_from=time[1], received_before=time[2]): [("10", 1)],
        QualityFilter(model="ames"): [],
    }.items():
        found = reader.read(wanted, None)
        assert [(each.model_version, each.predicted) for each in found] == expected
        assert [each.with_actual for each in found] == [count for _, count in expected]


def test_figures_stay_finite_when_the_prices_are_as_far_apart_as_they_may_be(
    log: LogWriter, database: LogDatabase, reader: QualityReader
) -> None:
    predict(log, database, (-1e15, 0.01), (1e15, 0.01))

    (found,) = reader.read(EVERYTHING, None)

    assert found.mape == pytest.approx(1e17)


@pytest.mark.parametrize(("covered", "count"), [(0, 10), (9, 10), (10, 10), (270, 300)])
def test_coverage_is_from_as_far_below_to_as_far_above_as_a_sample_may_stray(
    covered: int, count: int
) -> None:
    found = estimate_coverage(covered, count)

    assert found.value == covered / count
    assert 0 <= found.lower <= found.value <= found.upper <= 1
    for bound in (found.lower, found.upper):  # Wilson's definition
        strays = 1.96 * math.sqrt(max(0, bound * (1 - bound) / count))
        assert abs(found.value - bound) == pytest.approx(strays, abs=1e-4)


@pytest.mark.parametrize("log_url", ["sqlite"], indirect=True)
def test_figures_are_computed_without_reading_a_row_or_sorting_what_is_counted(
    log: LogWriter, database: LogDatabase
) -> None:
    predict(log, database, (1.0, 1.0))
    queries = [module._count([]), module._measure([], None), module._find_median([], 9)]
    with database.transaction() as connection:
        texts = [
            query.compile(connection.engine, compile_kwargs={"literal_binds": True})
            for query in queries
        ]
        counting, measuring, finding = (
            [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}")]
            for each in texts
        )

    assert counting == ["SCAN inputs USING COVERING INDEX ix_inputs_price"]
    assert measuring == ["SCAN inputs USING COVERING INDEX ix_inputs_actual"]
    assert finding[1] == "SCAN inputs USING COVERING INDEX ix_inputs_actual"
