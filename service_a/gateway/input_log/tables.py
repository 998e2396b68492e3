"""The tables of the input log, and how those of an earlier version become them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    inspect,
    literal,
    select,
)
from sqlalchemy.schema import CreateColumn

from gateway.errors import InputLogUnavailable

VERSION = 4
# To index many millions of rows.
_UPGRADE_SECONDS = 3600

# PostgreSQL reads an index without its rows only where it has cleaned up since they changed. By
# itself it waits until a fifth of them have, and then counting a million takes four times as long.
_VACUUM = {"autovacuum_vacuum_scale_factor": 0.02}

_metadata = MetaData()
# SQLite numbers rows by itself only in a column that is declared as INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")


class _Time(TypeDecorator[datetime]):
    """A time in UTC, also where the database keeps no time zone, as SQLite does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


inputs = Table(
    "inputs",
    _metadata,
    Column("id", _Number, primary_key=True),
    Column("request_id", String(128), nullable=False),
    Column("received_at", _Time, nullable=False, comment="UTC"),
    Column("data", Text, nullable=False, comment="the input as JSON"),
    Column("outcome", String(16), nullable=False),
    Column("price", Float, comment="in the model's currency"),
    Column("model_version", String(64)),
    Column("duration_ms", Float, comment="of the latest forward to Service B"),
    Column("model", String(64), comment="null is Service B's default"),
    Column("outcome_at", _Time, comment="UTC, null while it is the first"),
    Column("interval_lower", Float, comment="of the price; the model says how often it holds"),
    Column("interval_upper", Float),
    Column("actual_price", Float, comment="what a caller reported later, the latest"),
    Column("actual_at", _Time, comment="UTC, when that was reported"),
    Column("prediction", Text, comment="as JSON, where it isn't a price"),
    # Both grow at their ends, as rows come in order of time: writing costs the same at any size.
    Index("ix_inputs_time", "received_at", "id"),
    Index("ix_inputs_outcome", "outcome", "received_at", "id"),
    Index("ix_inputs_request", "request_id", "received_at", "id"),
    sqlite_autoincrement=True,
    postgresql_with=_VACUUM,
)

UNAVAILABLE = inputs.c.outcome == literal("unavailable", literal_execute=True)
"""What waits to be forwarded again; as written in the index, or SQLite would not use that."""

# Has only what waits, so that it costs nothing else.
Index(
    "ix_inputs_unavailable",
    inputs.c.model,
    inputs.c.received_at,
    inputs.c.id,
    sqlite_where=UNAVAILABLE,
    postgresql_where=UNAVAILABLE,
)

# Not by the outcome: SQLite would take that for few rows, find them by another index, and sort.
HAS_PRICE = inputs.c.price.is_not(None)
HAS_ACTUAL = inputs.c.actual_price.is_not(None)

# In the order in which they are counted: sorting a million takes seconds. It has the price, as
# SQLite would look at each row for what the condition names.
Index(
    "ix_inputs_price",
    inputs.c.model,
    inputs.c.model_version,
    inputs.c.received_at,
    inputs.c.price,
    sqlite_where=HAS_PRICE,
    postgresql_where=HAS_PRICE,
)
# Has all that the figures are computed from, so that no row is read.
Index(
    "ix_inputs_actual",
    inputs.c.model,
    inputs.c.model_version,
    inputs.c.received_at,
    inputs.c.price,
    inputs.c.interval_lower,
    inputs.c.interval_upper,
    inputs.c.actual_price,
    sqlite_where=HAS_ACTUAL,
    postgresql_where=HAS_ACTUAL,
)

OUTCOME_COLUMNS = (
    "outcome",
    "price",
    "model_version",
    "duration_ms",
    "outcome_at",
    "interval_lower",
    "interval_upper",
    "prediction",
)
"""What is known of an input after it was forwarded, named as the fields of an `Outcome`."""

# What an input's row said before it was forwarded again.
attempts = Table(
    "attempts",
    _metadata,
    Column("id", _Number, primary_key=True),
    Column("input_id", _Number, nullable=False, index=True),
    Column("outcome", String(16), nullable=False),
    Column("outcome_at", _Time),
    Column("duration_ms", Float),
)

# A row that health checks rewrite: only writing shows that the log can be written.
heartbeat = Table(
    "heartbeat",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("checked_at", _Time, nullable=False),
)

# One row. The first version had no such table.
_schema = Table("schema_version", _metadata, Column("version", Integer, nullable=False))


def upgrade(connection: Connection) -> None:
    """Make the tables, or bring those of an earlier version up to date; all or nothing.

    Gateways that start together on one database do it one after the other.

    Raises:
        InputLogUnavailable: the tables are of a later version than this program knows.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7461001)")
    version = _read_version(connection)
    if version == VERSION:
        return
    if version > VERSION:
        raise InputLogUnavailable(f"the log has version {version}, this gateway knows {VERSION}")
    if version == 0:
        _metadata.create_all(connection)
        connection.execute(_schema.insert().values(version=VERSION))
        return
    driver_connection: Any = connection.connection.driver_connection
    if connection.dialect.driver == "psycopg":
        driver_connection.statement_seconds = _UPGRADE_SECONDS
    for step in _STEPS[version - 1 :]:
        step(connection)
    for index in inputs.indexes:
        index.create(connection, checkfirst=True)
    connection.execute(_schema.update().values(version=VERSION))
    connection.detach()


def _read_version(connection: Connection) -> int:
    names = inspect(connection).get_table_names()
    if _schema.name in names:
        version: int = connection.execute(select(_schema.c.version)).scalar_one()
        return version
    return 1 if inputs.name in names else 0


def _add_model_and_attempts(connection: Connection) -> None:
    _add_columns(connection, "model", "outcome_at")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE inputs ALTER COLUMN id TYPE BIGINT")
    attempts.create(connection)
    _schema.create(connection)
    connection.execute(_schema.insert().values(version=1))


def _drop_index_of_requests(connection: Connection) -> None:
    connection.exec_driver_sql("DROP INDEX ix_inputs_request_id")


def _add_predictions_and_actuals(connection: Connection) -> None:
    _add_columns(connection, "interval_lower", "interval_upper")
    _add_columns(connection, "actual_price", "actual_at", "prediction")
    if connection.dialect.name == "postgresql":
        options = ", ".join(f"{name} = {value}" for name, value in _VACUUM.items())
        connection.exec_driver_sql(f"ALTER TABLE inputs SET ({options})")


def _add_columns(connection: Connection, *names: str) -> None:
    for name in names:
        column = CreateColumn(inputs.c[name]).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE inputs ADD COLUMN {column}")


# The step at place n - 1 leads from version n to the next, but for the indexes: those that are
# missing are made after the last step.
_STEPS: tuple[Callable[[Connection], None], ...] = (
    _add_model_and_attempts,
    _drop_index_of_requests,
    _add_predictions_and_actuals,
)
