"""The queue before whatever else uses the log: what takes long holds up nothing that doesn't."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from gateway.errors import TooBusy, TooManyExports
from gateway.intake.batcher import Batcher
from gateway.intake.log_queue import explain

Result = TypeVar("Result")

# Each keeps a page in memory for as long as its caller is slow to take it.
MAX_EXPORTS = 5

_QUICK_THREADS = 4
_LONG_THREADS = 2
_MAX_WAITING = 200
_TIMEOUT_SECONDS = 6
_CLOSE_SECONDS = 0.5


class ReadQueue:
    """Reads in threads of its own: some for a page or a record, and others for what takes long.

    What writes has one thread, so that the writer of inputs waits for one other at most.
    """

    def __init__(self) -> None:
        self._quick = _make("log-read", _QUICK_THREADS)
        self._long = _make("log-export", _LONG_THREADS)
        self._writing = _make("log-actuals", 1)
        self._exports = 0

    @contextmanager
    def export(self) -> Iterator[None]:
        """Count an export as under way until the block ends.

        Raises:
            TooManyExports: as many as may be are under way.
        """
        if self._exports >= MAX_EXPORTS:
            raise TooManyExports
        self._exports += 1
        try:
            yield
        finally:
            self._exports -= 1

    async def read(self, read: Callable[[], Result]) -> Result:
        """Return what the function returns.

        Raises:
            InputLogUnavailable: there is no answer in time.
        """
        return await _submit(self._quick, read)

    async def read_part(self, read: Callable[[], Result]) -> Result:
        """Do the same for one part of something long."""
        return await _submit(self._long, read)

    async def record(self, write: Callable[[], Result]) -> Result:
        """Do the same for what writes, one after the other."""
        return await _submit(self._writing, write)

    async def close(self) -> None:
        for batcher in (self._quick, self._long, self._writing):
            await batcher.close(_CLOSE_SECONDS)


async def _submit(batcher: Batcher[Callable[[], Any], Any], read: Callable[[], Result]) -> Result:
    try:
        return cast(Result, await batcher.submit(read))
    except (TimeoutError, TooBusy) as error:
        raise explain(error) from None


def _make(name: str, threads: int) -> Batcher[Callable[[], Any], Any]:
    def read(calls: Sequence[Callable[[], Any]], _: float) -> list[Any]:
        return [call() for call in calls]

    return Batcher(
        read,
        name=name,
        max_batch=1,
        max_waiting=_MAX_WAITING,
        max_seconds=_TIMEOUT_SECONDS,
        threads=threads,
    )
