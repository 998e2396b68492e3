"""Functions of the standard library: the processes find them whatever pytest has imported."""

import operator
import os
import signal
import sys
from collections.abc import Iterator

import joblib
import pytest
from joblib.externals.loky import get_reusable_executor

from training.errors import TrainingError
from training.parallel import Call, run_each


@pytest.fixture(autouse=True)
def two_at_once() -> Iterator[None]:
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1, max_nbytes=None):
        yield
    get_reusable_executor().shutdown(kill_workers=True)


def test_results_come_in_order() -> None:
    assert list(run_each([(operator.neg, (number,)) for number in range(5)])) == [0, -1, -2, -3, -4]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal masks")
def test_interrupt_of_a_terminal_is_for_the_process_that_started_the_others() -> None:
    calls = [(signal.pthread_sigmask, (signal.SIG_BLOCK, ()))] * 2
    assert all(signal.SIGINT in masked for masked in run_each(calls))
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_killed_process_is_a_clear_error() -> None:
    calls: list[Call[int]] = [(os._exit, (1,)), (operator.neg, (1,))]
    with pytest.raises(TrainingError, match="with a smaller --jobs it needs less"):
        list(run_each(calls))
