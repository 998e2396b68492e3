"""What the whole-system tests share."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_lab import ONLY_AMES, Lab
from tests.stub_predictor import StubPredictor

# The tests begin without what a developer has in .env.
os.environ["LAB_ENV_FILE"] = os.devnull
# A shell has this ignored by what it runs in the background, and so by all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much of the documentation was run and compared."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        counts.update(dict(report.user_properties).get("documentation", {}))
    if counts:
        parts = (f"{count} {what}" for what, count in sorted(counts.items()))
        terminalreporter.line(f"documentation: {', '.join(parts)}")


@pytest.fixture
def stub() -> Iterator[StubPredictor]:
    stub = StubPredictor()
    yield stub
    stub.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Both services, up and healthy, for one test alone."""
    with Lab(tmp_path, service_b=ONLY_AMES).running() as lab:
        yield lab


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
