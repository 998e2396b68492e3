"""Trainings side by side, each in a process of its own with a single thread.

On so few rows several threads would wait for each other longer than they save, most of all on a
busy machine; and results would depend on how many there were.
"""

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import joblib
from threadpoolctl import threadpool_limits
from tqdm import tqdm

Result = TypeVar("Result")
Call = tuple[Callable[..., Result], tuple[Any, ...]]

# Only the outermost of nested runs shows its progress.
_is_nested = ContextVar("is_nested", default=False)


def run_each(calls: Sequence[Call[Result]], title: str | None = None) -> Iterator[Result]:
    """Call each function with its arguments; give the results in order, progress under `title`.

    As many as `joblib.parallel_config` says run at once, one if it says nothing, and nothing
    runs ahead of that: whoever stops asking for results stops the calls.
    """
    at_once = joblib.effective_n_jobs()
    hidden = title is None or _is_nested.get()
    with tqdm(desc=title, total=len(calls), disable=hidden) as progress:
        for start in range(0, len(calls), at_once):
            results = joblib.Parallel()(
                joblib.delayed(_call)(function, *arguments)
                for function, arguments in calls[start : start + at_once]
            )
            progress.update(len(results))
            yield from results


def _call(function: Callable[..., Result], *arguments: Any) -> Result:
    token = _is_nested.set(True)
    try:
        with threadpool_limits(limits=1):
            return function(*arguments)
    finally:
        _is_nested.reset(token)
