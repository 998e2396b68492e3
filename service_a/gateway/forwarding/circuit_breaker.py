"""The circuit breaker: while Service B is known to be down, nobody waits to find out again."""

import threading
import time
from collections.abc import Callable
from enum import StrEnum


class CircuitState(StrEnum):
    """Named as in an electric circuit: current flows while it is closed."""

    CLOSED = "closed"  # calls go through
    OPEN = "open"  # calls are refused
    HALF_OPEN = "half_open"  # one request, the probe, is under way to see whether B is back


class CircuitBreaker:
    """Opens on consecutive failures, lets one probe through per window, closes on success.

    Pure: the caller says how its calls ended. Safe to use from many threads. `on_change` is
    called with each new state.
    """

    def __init__(
        self,
        *,
        failures_to_open: int,
        window_seconds: float,
        on_change: Callable[[CircuitState], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._window_seconds = window_seconds
        self._on_change = on_change
        self._clock = clock
        self._lock = threading.Lock()
        self._state = CircuitState.CLOSED
        self._failures = 0
        self._window_began = 0.0

    @property
    def state(self) -> CircuitState:
        return self._state

    def admit(self) -> bool:
        """Say whether a request may go through. While open, that is one per window: the probe.

        A probe that never ends doesn't matter: the next window has its own.
        """
        with self._lock:
            if self._state is CircuitState.CLOSED:
                return True
            now = self._clock()
            if now - self._window_began < self._window_seconds:
                return False
            self._window_began = now
            self._change(CircuitState.HALF_OPEN)
            return True

    def record_success(self) -> None:
        with self._lock:
            self._failures = 0
            self._change(CircuitState.CLOSED)

    def record_failure(self) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= self._failures_to_open:
                self._window_began = self._clock()
                self._change(CircuitState.OPEN)

    def _change(self, state: CircuitState) -> None:
        if state is not self._state:
            self._state = state
            self._on_change(state)
