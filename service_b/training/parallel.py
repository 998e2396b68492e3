"""Trainings side by side, each in a process of its own with a single thread.

On so few rows several threads would wait for each other longer than they save, most of all on a
busy machine; and results would depend on how many there were.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import joblib
from threadpoolctl import threadpool_limits

Result = TypeVar("Result")


def run_each(calls: Iterable[tuple[Callable[..., Result], tuple[Any, ...]]]) -> Iterator[Result]:
    """Call each function with its arguments; give the results in order, each when it is there.

    How many run at once is set by `joblib.parallel_config`; one if nothing is.
    """
    jobs = (joblib.delayed(_call)(function, *arguments) for function, arguments in calls)
    yield from joblib.Parallel(return_as="generator")(jobs)


def _call(function: Callable[..., Result], *arguments: Any) -> Result:
    with threadpool_limits(limits=1):
        return function(*arguments)
