"""Trainings side by side, each in a process of its own with a single thread.

On so few rows several threads would wait for each other longer than they save, most of all on a
busy machine; and results would depend on how many there were.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from multiprocessing import resource_tracker
from typing import Any, TypeVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from training.errors import TrainingError

Result = TypeVar("Result")
Call = tuple[Callable[..., Result], tuple[Any, ...]]

# Only the outermost of nested runs shows its progress.
_is_nested = ContextVar("is_nested", default=False)


def run_each(calls: Sequence[Call[Result]], title: str | None = None) -> Iterator[Result]:
    """Call each function with its arguments; give the results in order, progress under `title`.

    As many as `joblib.parallel_config` says run at once, one if it says nothing, and nothing
    runs ahead of that: whoever stops asking for results stops the calls.

    Raises:
        TrainingError: a process was ended from outside.
    """
    at_once = min(joblib.effective_n_jobs(), max(1, len(calls)))
    hidden = title is None or _is_nested.get()
    with tqdm(desc=title, total=len(calls), disable=hidden) as progress:
        for start in range(0, len(calls), at_once):
            batch = calls[start : start + at_once]
            if at_once > 1:
                resource_tracker.ensure_running()  # it lets SIGINT through when it starts
            try:
                with _hold_interrupts():
                    # A lone call stays in this process: what it runs can be side by side.
                    under_way = joblib.Parallel(n_jobs=len(batch), return_as="generator")(
                        joblib.delayed(_call)(function, *arguments) for function, arguments in batch
                    )
                results = list(under_way)
            except TerminatedWorkerError as error:
                raise TrainingError(
                    "a process of the training was killed, maybe for want of memory; "
                    "with a smaller --jobs it needs less"
                ) from error
            progress.update(len(results))
            yield from results


@contextmanager
def _hold_interrupts() -> Iterator[None]:
    """Let SIGINT wait, and start processes that never get it: this one ends them.

    A terminal sends it to all of them, and one that just starts would answer with a traceback.
    """
    if sys.platform == "win32":
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _call(function: Callable[..., Result], *arguments: Any) -> Result:
    token = _is_nested.set(True)
    try:
        with threadpool_limits(limits=1):
            return function(*arguments)
    finally:
        _is_nested.reset(token)
