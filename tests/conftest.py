"""What the whole-system tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Both services, up and healthy, for one test alone."""
    lab = Lab(tmp_path)
    try:
        lab.start()
        yield lab
    finally:
        lab.print_output()
        lab.stop()


@pytest.fixture(scope="module")
def lab_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"), service_a={"GATEWAY_FORWARD_TIMEOUT_SECONDS": "5"})
    try:
        yield lab
    finally:
        lab.stop()


@pytest.fixture
def shared_lab(lab_of_module: Lab) -> Iterator[Lab]:
    """Both services, up whatever the test before has done to them."""
    lab_of_module.revive()
    yield lab_of_module
    lab_of_module.print_output()
