"""How the tables of an earlier version become those of today."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, inspect, select
from sqlalchemy.schema import CreateColumn

from gateway.errors import InputLogUnavailable
from gateway.input_log.tables import VACUUM, VERSION, attempts, inputs, metadata, schema_version

# To index many millions of rows.
_UPGRADE_SECONDS = 3600


def upgrade(connection: Connection) -> None:
    """Make the tables, or bring those of an earlier version up to date; all or nothing.

    Gateways that start together on one database do it one after the other.

    Raises:
        InputLogUnavailable: the tables are of a later version than this program's.
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
        metadata.create_all(connection)
        connection.execute(schema_version.insert().values(version=VERSION))
        return
    driver_connection: Any = connection.connection.driver_connection
    if connection.dialect.driver == "psycopg":
        driver_connection.statement_seconds = _UPGRADE_SECONDS
    for step in _STEPS[version - 1 :]:
        step(connection)
    for index in inputs.indexes:
        index.create(connection, checkfirst=True)
    connection.execute(schema_version.update().values(version=VERSION))
    connection.detach()


def _read_version(connection: Connection) -> int:
    names = inspect(connection).get_table_names()
    if schema_version.name in names:
        version: int = connection.execute(select(schema_version.c.version)).scalar_one()
        return version
    return 1 if inputs.name in names else 0


def _add_model_and_attempts(connection: Connection) -> None:
    _add_columns(connection, "model", "outcome_at")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE inputs ALTER COLUMN id TYPE BIGINT")
    attempts.create(connection)
    schema_version.create(connection)
    connection.execute(schema_version.insert().values(version=1))


def _drop_index_of_requests(connection: Connection) -> None:
    connection.exec_driver_sql("DROP INDEX ix_inputs_request_id")


def _add_predictions_and_actuals(connection: Connection) -> None:
    _add_columns(connection, "interval_lower", "interval_upper")
    _add_columns(connection, "actual_price", "actual_at", "prediction")
    if connection.dialect.name == "postgresql":
        options = ", ".join(f"{name} = {value}" for name, value in VACUUM.items())
        connection.exec_driver_sql(f"ALTER TABLE inputs SET ({options})")


def _add_warnings(connection: Connection) -> None:
    _add_columns(connection, "warnings")


def _add_columns(connection: Connection, *names: str) -> None:
    for name in names:
        column = CreateColumn(inputs.c[name]).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE inputs ADD COLUMN {column}")


# The step at place n - 1 leads from version n to the next. Indexes that are missing are made after
# the last step.
_STEPS: tuple[Callable[[Connection], None], ...] = (
    _add_model_and_attempts,
    _drop_index_of_requests,
    _add_predictions_and_actuals,
    _add_warnings,
)
