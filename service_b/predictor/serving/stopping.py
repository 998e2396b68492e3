"""Stopping in time, whatever is still under way."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence

import uvicorn

_logger = logging.getLogger(__name__)

# Answers under way get this long after SIGTERM.
DRAIN_SECONDS = 8
# A stopped service is gone within 10 s.
_STOP_SECONDS = 9
_LINES_SECONDS = 0.3


class StoppingServer(uvicorn.Server):
    """uvicorn's server; a thread that is still at work can't keep the process from ending.

    What is to be done first when it stops is called then: to end what would go on for ever.
    """

    def __init__(self, config: uvicorn.Config, at_stop: Sequence[Callable[[], None]]) -> None:
        super().__init__(config)
        self._at_stop = at_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        timer = threading.Timer(_STOP_SECONDS, _end)
        timer.daemon = True
        timer.start()
        for end in self._at_stop:
            end()
        await super().shutdown(sockets)


def _end() -> None:
    """End as `kill -9` would: what was acknowledged is safe, and nobody waits for an answer."""
    _logger.warning("ended with work under way")
    time.sleep(_LINES_SECONDS)  # for the line above to be written
    os._exit(0)
