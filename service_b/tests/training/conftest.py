"""What the tests of training share: they train in the process that they run in."""

from collections.abc import Iterator

import pytest
from joblib import parallel_config


@pytest.fixture(scope="session", autouse=True)
def one_process() -> Iterator[None]:
    """To start others takes longer than most of what is trained here."""
    with parallel_config("sequential"):
        yield
