"""The tables of the input log."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
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
    literal,
)

VERSION = 5

# PostgreSQL reads an index without its rows only where it has cleaned up since they changed. By
# itself it waits until a fifth of them have, and then counting a million takes four times as long.
VACUUM = {"autovacuum_vacuum_scale_factor": 0.02}

metadata = MetaData()
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
    metadata,
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
    Column("warnings", Text, comment="of Service B, as JSON; null if there were none"),
    # They grow at their ends, as rows come in order of time: writing costs the same at any size.
    Index("ix_inputs_time", "received_at", "id"),
    Index("ix_inputs_outcome", "outcome", "received_at", "id"),
    Index("ix_inputs_request", "request_id", "received_at", "id"),
    sqlite_autoincrement=True,
    postgresql_with=VACUUM,
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
    "warnings",
)
"""What is known of an input after it was forwarded, named as the fields of an `Outcome`."""

# What an input's row said before it was forwarded again.
attempts = Table(
    "attempts",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("input_id", _Number, nullable=False, index=True),
    Column("outcome", String(16), nullable=False),
    Column("outcome_at", _Time),
    Column("duration_ms", Float),
)

# A row for each gateway, which health checks rewrite: only writing shows that the log can be
# written. (The fast writer of SQLite, which lets one write at a time, has one row for all.)
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("checked_at", _Time, nullable=False),
)

# One row. The first version had no such table.
schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))
