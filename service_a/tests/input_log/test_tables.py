from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from gateway.errors import InputLogUnavailable
from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import InputFilter, LogReader
from gateway.input_log.tables import VERSION
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import NewInput, OutcomeKind

# The log as earlier versions made it, with an input in it.
FIRST_VERSION = """
CREATE TABLE inputs (
    id {number} NOT NULL PRIMARY KEY {autoincrement},
    request_id VARCHAR(128) NOT NULL,
    received_at {time} NOT NULL,
    data TEXT NOT NULL,
    outcome VARCHAR(16) NOT NULL,
    price FLOAT,
    model_version VARCHAR(64),
    duration_ms FLOAT
);
CREATE INDEX ix_inputs_request_id ON inputs (request_id);
CREATE TABLE heartbeat (id INTEGER NOT NULL PRIMARY KEY, checked_at {time} NOT NULL);
INSERT INTO inputs (request_id, received_at, data, outcome, price, model_version, duration_ms)
VALUES ('r1', '2026-01-01 12:00:00.500000', '{{"a":1}}', 'predicted', 1.5, '1', 2.5)
"""
SECOND_VERSION = (
    FIRST_VERSION
    + """;
ALTER TABLE inputs ADD COLUMN model VARCHAR(64);
ALTER TABLE inputs ADD COLUMN outcome_at {time};
CREATE INDEX ix_inputs_time ON inputs (received_at, id);
CREATE INDEX ix_inputs_outcome ON inputs (outcome, received_at, id);
CREATE TABLE attempts (
    id {number} NOT NULL PRIMARY KEY,
    input_id {number_type} NOT NULL,
    outcome VARCHAR(16) NOT NULL,
    outcome_at {time},
    duration_ms FLOAT
);
CREATE INDEX ix_attempts_input_id ON attempts (input_id);
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (2)
"""
)
# Made with the numbers of the second version, which had as wide ones.
THIRD_VERSION = (
    SECOND_VERSION.replace("VALUES (2)", "VALUES (3)")
    + """;
DROP INDEX ix_inputs_request_id;
CREATE INDEX ix_inputs_request ON inputs (request_id, received_at, id);
CREATE INDEX ix_inputs_unavailable ON inputs (model, received_at, id)
WHERE outcome = 'unavailable'
"""
)
# The fourth has new columns and indexes, and PostgreSQL cleans up sooner.
FOURTH_VERSION = (
    THIRD_VERSION.replace("VALUES (3)", "VALUES (4)")
    + """;
ALTER TABLE inputs ADD COLUMN interval_lower FLOAT;
ALTER TABLE inputs ADD COLUMN interval_upper FLOAT;
ALTER TABLE inputs ADD COLUMN actual_price FLOAT;
ALTER TABLE inputs ADD COLUMN actual_at {time};
ALTER TABLE inputs ADD COLUMN prediction TEXT;
CREATE INDEX ix_inputs_price ON inputs (model, model_version, received_at, price)
WHERE price IS NOT NULL;
CREATE INDEX ix_inputs_actual ON inputs (model, model_version, received_at, price, interval_lower,
    interval_upper, actual_price)
WHERE actual_price IS NOT NULL;
{clean_up}
"""
)


def start_gateway(log_url: str, *inputs: NewInput) -> None:
    """Do with the log what a gateway does: open it and write."""
    with closing(LogDatabase(log_url)) as database:
        LogWriter(database).write(inputs)


@pytest.fixture
def engine(log_url: str) -> Iterator[Engine]:
    """The test's own way into the database; its folder exists."""
    start_gateway(log_url)
    engine = create_engine(log_url)
    yield engine
    engine.dispose()


def read_options(engine: Engine) -> object:
    """Return what PostgreSQL is to do with the table of inputs in a way of its own."""
    if engine.dialect.name == "sqlite":
        return None
    with engine.connect() as connection:
        query = text("SELECT reloptions FROM pg_class WHERE oid = 'inputs'::regclass")
        return connection.execute(query).scalar_one()


def describe(engine: Engine) -> object:
    tables = inspect(engine)
    return read_options(engine), {
        name: (
            sorted((column["name"], str(column["type"])) for column in tables.get_columns(name)),
            sorted((index["name"], index["column_names"]) for index in tables.get_indexes(name)),
        )
        for name in tables.get_table_names()
        if not name.startswith("sqlite_")
    }


@pytest.fixture(params=[FIRST_VERSION, SECOND_VERSION, THIRD_VERSION, FOURTH_VERSION])
def of_an_earlier_version(request: pytest.FixtureRequest, engine: Engine) -> object:
    """Make the database one of an earlier version; return what a new one looks like."""
    new = describe(engine)
    postgres = engine.dialect.name == "postgresql"
    number = "SERIAL" if request.param == FIRST_VERSION else "BIGSERIAL"
    statements = request.param.format(
        number=number if postgres else "INTEGER",
        number_type="BIGINT" if postgres else "INTEGER",
        autoincrement="" if postgres else "AUTOINCREMENT",
        time="TIMESTAMP WITH TIME ZONE" if postgres else "DATETIME",
        clean_up="ALTER TABLE inputs SET (autovacuum_vacuum_scale_factor = 0.02)"
        if postgres
        else "SELECT 1",
    )
    with engine.begin() as connection:
        for name in inspect(engine).get_table_names():
            if not name.startswith("sqlite_"):
                connection.execute(text(f"DROP TABLE {name}"))
        if postgres:
            connection.execute(text("SET TIME ZONE 'UTC'"))
        for statement in statements.split(";"):
            connection.exec_driver_sql(statement)
    return new


def test_log_of_an_earlier_version_becomes_the_same_as_a_new_one(
    log_url: str, engine: Engine, of_an_earlier_version: object
) -> None:
    start_gateway(log_url, NewInput("r2", "2", OutcomeKind.LOGGED, "ames"))

    assert describe(engine) == of_an_earlier_version
    with closing(LogDatabase(log_url)) as database:
        first, second = (row for page in LogReader(database).export(InputFilter()) for row in page)
    assert (first.data, first.price, first.model) == ('{"a":1}', 1.5, None)
    assert (first.interval_lower, first.actual_price, first.prediction) == (None, None, None)
    assert first.warnings is None
    assert first.received_at == datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(seconds=0.5)
    assert (second.data, second.model, second.number) == ("2", "ames", 2)


@pytest.mark.usefixtures("of_an_earlier_version")
def test_log_is_upgraded_once_when_several_gateways_start_together(
    log_url: str, engine: Engine
) -> None:
    def start(number: int) -> None:
        start_gateway(log_url, NewInput(f"r{number}", "1", OutcomeKind.LOGGED))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(start, range(8)))

    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM inputs")).scalar() == 9
        assert connection.execute(text("SELECT version FROM schema_version")).all() == [(VERSION,)]


def test_log_of_a_later_version_is_left_alone(log_url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE schema_version SET version = version + 1"))

    with pytest.raises(InputLogUnavailable, match=f"has version {VERSION + 1}"):
        start_gateway(log_url, NewInput("r1", "1", OutcomeKind.LOGGED))

    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM inputs")).scalar() == 0
