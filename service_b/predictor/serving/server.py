"""Running the application until it is stopped: in this process, or in several."""

import errno
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import TextIO, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from predictor.serving.http_protocol import HTTPProtocol
from predictor.serving.limits import MIN_OPEN_FILES, Limits, count_open_files
from predictor.serving.stopping import GRACEFUL_SECONDS, StoppingServer
from predictor.serving.workers import supervise
from predictor.settings import Settings
from predictor.telemetry.line_writer import MAX_WAITING, LineWriter
from predictor.telemetry.log_lines import LineHandler

# In each turn of its loop libuv takes in one caller from each listener, and a request of everyone
# that is in is answered. With one listener, the last of 64 callers that come together would wait
# for 2,016 answers; with 32, for 32. Each new caller wakes all of them, at some 2 µs for each.
_LISTENERS = 32
# So much is written to a pipe without what another process writes in it.
_ATOMIC_BYTES = getattr(select, "PIPE_BUF", 4096)


def serve(app: FastAPI, settings: Settings, make_app: Callable[[], FastAPI]) -> None:
    """Listen and answer; SIGTERM, SIGHUP and Ctrl-C finish the requests under way and exit with 0.

    A port that can't be had ends the process with one line and status 1, as do too few files. If
    there are to be several processes, `make_app` makes the application of each.
    """
    if (most := count_open_files()) < MIN_OPEN_FILES:
        sys.exit(
            f"Only {most} files may be open at a time (ulimit -n): {MIN_OPEN_FILES} are needed."
        )
    listener = _take_port(settings)
    if settings.workers > 1:
        gc.enable()  # `main.py` has it off for the start
        supervise(settings.workers, partial(_open_worker_server, make_app), listener)
        return
    with _open_server(app) as server:
        server.run(sockets=copy_listener(listener))


def copy_listener(listener: socket.socket) -> list[socket.socket]:
    """Return copies of a listener, with which a loop takes in many callers in one turn.

    Processes that share a listener are best with one each: a busy one then leaves callers to those
    that are idle.
    """
    if sys.platform == "win32":  # where a loop has a listener only once
        return [listener]
    return [listener, *(listener.dup() for _ in range(_LISTENERS - 1))]


def _take_port(settings: Settings) -> socket.socket:
    """Take the port, without listening: the server does that when the application has started.

    Until then a caller is refused at once, and may ask another copy.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with ExitStack() as opened:
            listener = opened.enter_context(socket.socket(family))
            if os.name == "posix":  # those of a former process may still be closing
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                is_dual = settings.host == "::" and socket.has_dualstack_ipv6()
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_dual)
            listener.bind((settings.host, settings.port))
            opened.pop_all()
            return listener
    except OSError as error:
        sys.exit(_explain_obstacle(settings, error))


def _explain_obstacle(settings: Settings, error: OSError) -> str:
    # Otherwise the name leads nowhere, or to another machine: no port helps.
    wrong = "PORT" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "HOST"
    return (
        f"Cannot listen on {settings.host} port {settings.port}: {error.strerror or error}. "
        f"Set {wrong} to choose another."
    )


class _Server(StoppingServer):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
            # What exists now stays: looking through it again and again would hold up requests.
            gc.freeze()
            gc.enable()
            for each in sockets or ():
                each.listen(self.config.backlog)
        except OSError as error:  # asyncio says so; uvloop closes the socket, and doesn't
            await self.lifespan.shutdown()
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from error


def _open_worker_server(make_app: Callable[[], FastAPI]) -> AbstractContextManager[StoppingServer]:
    return _open_server(make_app())


@contextmanager
def _open_server(app: FastAPI) -> Iterator[StoppingServer]:
    """Lend the server of this process, whose log lines are written meanwhile."""
    settings: Settings = app.state.settings
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again when it has stopped; this makes it a clean exit.
        signal.signal(number, lambda *_: sys.exit(0))
    # As when its terminal is closed, unless nohup has it ignored.
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    limits = Limits(
        max_connections=settings.max_connections,
        head_seconds=settings.head_timeout_seconds,
        body_seconds=settings.body_timeout_seconds,
        max_bytes=settings.max_bytes_under_way,
    )
    config = uvicorn.Config(
        app,
        http=partial(HTTPProtocol, limits),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here looks at the caller's address
        # Unless it is given, uvicorn reads WEB_CONCURRENCY, and stumbles over a word in it.
        workers=settings.workers,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    lines: LineHandler = app.state.lines
    most = _ATOMIC_BYTES if settings.workers > 1 else MAX_WAITING
    with LineWriter(sys.stdout, most) as writer:
        lines.setStream(cast(TextIO, writer))
        server = _Server(
            config,
            at_stop=app.state.at_stop,
            at_drain=app.state.draining.set,
            drain_seconds=settings.drain_seconds,
        )
        try:
            yield server
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            line = _explain_obstacle(settings, error)
            if settings.workers > 1:  # after any other status, their supervisor tries again
                print(line, file=sys.stderr)  # noqa: T201
                sys.exit(STARTUP_FAILURE)
            sys.exit(line)
