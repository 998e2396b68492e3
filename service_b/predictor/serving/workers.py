"""Several processes that answer at one port, under uvicorn's own supervisor.

It starts them, replaces one that ends or hangs, and has them all end.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import resource_tracker
from tempfile import TemporaryDirectory
from typing import ClassVar

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the metrics' library finds what all processes count."""

# A process that doesn't answer the supervisor for so long is replaced. It doesn't while it imports.
_HANG_SECONDS = 30
# While it doesn't, the supervisor looks so often whether it is told to stop.
_TURN_SECONDS = 0.1

OpenServer = Callable[[], AbstractContextManager[uvicorn.Server]]


class _Config(uvicorn.Config):
    """What a new process gets from the supervisor."""

    open_server: OpenServer


class _Worker(multiprocess.Process):
    """One of the processes, with the service's own server in it."""

    config: _Config
    signals: ClassVar[Sequence[int]]  # that the supervisor has got and not yet handled

    def start(self) -> None:
        # Ctrl-C reaches all processes of a terminal. A new one has it wait until it can end without
        # a traceback of what it was just importing; the supervisor ends it before.
        resource_tracker.ensure_running()  # which would let signals through again
        with _hold_up_ctrl_c():
            super().start()

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        with self.config.open_server() as self._server:
            _let_ctrl_c_through()
            super().target(sockets)

    def ping(self, timeout: float = _HANG_SECONDS) -> bool:
        """Say whether it answers in time. A supervisor that has a signal to handle doesn't wait."""
        deadline = time.monotonic() + timeout
        try:
            self.parent_conn.send(b"ping")
            while not self.parent_conn.poll(_TURN_SECONDS):
                if self.signals:
                    return True
                if time.monotonic() > deadline or not self.process.is_alive():
                    return False
            self.parent_conn.recv()
        except (OSError, EOFError):
            return False
        return True


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
        _Worker.signals = supervisor.signal_queue
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(1)


@contextmanager
def _hold_up_ctrl_c() -> Iterator[None]:
    """Have Ctrl-C wait, here until the block ends, and in a process that the block starts."""
    if sys.platform == "win32":
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        _let_ctrl_c_through()


def _let_ctrl_c_through() -> None:
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _end_with_parent() -> None:
    """Stop when the supervisor is gone, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
