"""What one caller waits for."""

import asyncio
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

BEFORE = -1
"""The index of the item that goes before a group's own."""


class Group(Generic[Result]):
    """Items that one caller waits for, together.

    The future gets each item's result, in their order. Instead it gets a `TooBusy`, when the
    items were refused, or a `TimeoutError`, when they took too long. Items that still wait when
    it is cancelled are dropped.
    """

    __slots__ = (
        "_missing",
        "_results",
        "before",
        "following",
        "future",
        "has_begun",
        "items",
        "since",
        "size",
    )

    def __init__(
        self,
        items: Sequence[Any],
        future: asyncio.Future[list[Result | Exception]],
        since: float,
        following: Any = None,
    ) -> None:
        self.items = items
        self.size = len(items)
        self.future = future
        self.since = since  # when what waits for it now began to wait
        self.has_begun = False  # whether a batch has taken some of its items
        self.following = following  # the batcher of its items, if another item goes before them
        self.before: Any = None  # the result of that item, once it is done
        self._results: list[Any] = [None] * self.size
        self._missing = self.size
        if not items:
            future.set_result([])

    def settle(self, index: int, result: Any) -> None:
        """Take in the result of an item, or the error of the one before."""
        if index == BEFORE:
            self.fail(result)
            return
        self._results[index] = result
        self._missing -= 1
        if not self._missing and not self.future.done():
            self.future.set_result(self._results)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)
