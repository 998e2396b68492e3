"""Stopping in time: callers are first asked to go elsewhere, then calls under way are finished."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence

import uvicorn

_logger = logging.getLogger(__name__)

# Answers under way get this long when no more are accepted.
GRACEFUL_SECONDS = 8
# After the drain, a stopped service is gone within 10 s.
_STOP_SECONDS = 9
_LINES_SECONDS = 0.3
_CLOSE = (b"connection", b"close")


class StoppingServer(uvicorn.Server):
    """uvicorn's server; a thread that is still at work can't keep the process from ending.

    After the signal to stop, it still answers for `drain_seconds`. `at_drain` is called at once, so
    that the answer about its health says so, and each answer asks to close the connection. Then
    `at_stop` is called, to end what would go on for ever, and the server stops.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        at_stop: Sequence[Callable[[], None]],
        at_drain: Callable[[], None],
        drain_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config)
        self._at_stop = at_stop
        self._at_drain = at_drain
        self._drain_seconds = drain_seconds
        self._clock = clock
        self._drained_at: float | None = None  # of the clock, once there was a signal to stop

    async def on_tick(self, counter: int) -> bool:
        if not await super().on_tick(counter):
            return False
        if self._drained_at is None:
            self._drained_at = self._clock() + self._drain_seconds
            self._begin_drain()
        return self.force_exit or self._clock() >= self._drained_at

    def _begin_drain(self) -> None:
        self._at_drain()
        # uvicorn makes its headers anew each second, of these among others.
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        timer = threading.Timer(_STOP_SECONDS, _end)
        timer.daemon = True
        timer.start()
        for end in self._at_stop:
            end()
        self.force_exit = False  # Ctrl-C once more has ended the drain, and nothing else
        await super().shutdown(sockets)
        if self.force_exit:  # and then the wait for the callers
            await self.lifespan.shutdown()


def _end() -> None:
    """End as `kill -9` would: what was acknowledged is safe, and nobody waits for an answer."""
    _logger.warning("ended with work under way")
    time.sleep(_LINES_SECONDS)  # for the line above to be written
    os._exit(0)
