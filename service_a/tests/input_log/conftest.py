"""What the tests of the log share: an empty log on each of the databases, and a writer to it."""

from collections.abc import Iterator

import pytest

from gateway.input_log.database import LogDatabase
from gateway.input_log.writer import LogWriter


@pytest.fixture
def database(log_url: str) -> Iterator[LogDatabase]:
    database = LogDatabase(log_url)
    yield database
    database.close()


@pytest.fixture
def log(database: LogDatabase) -> LogWriter:
    return LogWriter(database)
