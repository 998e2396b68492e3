"""Several processes that answer at one port, under uvicorn's own supervisor.

It starts them, replaces one that ends or hangs, and has them all end.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from tempfile import TemporaryDirectory

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the metrics' library finds what all processes count."""

# A process that doesn't answer the supervisor for so long is replaced. It doesn't while it imports.
_HANG_SECONDS = 30

OpenServer = Callable[[], AbstractContextManager[uvicorn.Server]]


class _Config(uvicorn.Config):
    """What a new process gets from the supervisor."""

    open_server: OpenServer


class _Worker(multiprocess.Process):
    """One of the processes, with the service's own server in it."""

    config: _Config

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        with self.config.open_server() as self._server:
            super().target(sockets)


class _Supervisor(multiprocess.Multiprocess):
    def keep_subprocess_alive(self) -> None:
        before = [process.pid for process in self.processes]
        super().keep_subprocess_alive()
        for pid in before:
            if pid not in {process.pid for process in self.processes}:
                mark_process_dead(pid)  # type: ignore[no-untyped-call]


def supervise(count: int, open_server: OpenServer, listener: socket.socket) -> None:
    """Have so many processes answer until a signal ends them.

    `open_server` is called in each; to get there, it must be one that can be pickled.
    """
    multiprocess.Process = _Worker  # type: ignore[misc]  # uvicorn can't be told another way
    config = _Config("", workers=count, log_config=None, timeout_worker_healthcheck=_HANG_SECONDS)
    config.open_server = open_server
    with TemporaryDirectory(prefix="metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[METRICS_FOLDER] = folder
        supervisor = _Supervisor(config, [listener])
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(1)


def _end_with_parent() -> None:
    """Stop when the supervisor is gone, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
