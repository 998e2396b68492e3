"""Whether callers wait for something."""

import time

# Callers that ask again as soon as they are answered leave less time than this between two calls.
_QUIET_SECONDS = 0.002


class CallsUnderWay:
    """Counts the calls that have arrived in full and aren't answered. Any thread may look."""

    def __init__(self) -> None:
        self._count = 0
        self._last_ended_at = 0.0

    def begin(self) -> None:
        self._count += 1

    def end(self) -> None:
        self._count -= 1
        self._last_ended_at = time.perf_counter()

    @property
    def is_quiet(self) -> bool:
        """Whether nobody waits, and nobody did a moment ago."""
        return self._count == 0 and time.perf_counter() - self._last_ended_at > _QUIET_SECONDS
