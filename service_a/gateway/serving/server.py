"""Running the application in this process until it is stopped."""

import errno
import gc
import signal
import socket
import sys

import uvicorn
from fastapi import FastAPI

from gateway.serving.joined_writes import JoinedWritesProtocol
from gateway.settings import Settings

# A caller may keep its connection open between two bursts of requests.
KEEP_ALIVE_SECONDS = 75
# Answers under way get this long after SIGTERM; a stopped service is gone within 10 s.
DRAIN_SECONDS = 8


def serve(app: FastAPI, settings: Settings) -> None:
    """Listen and answer; SIGTERM and Ctrl-C finish the requests under way and exit with 0.

    A port that can't be had ends the process with one line and status 1.
    """
    try:
        listener = socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=2048,
        )
    except OSError as error:
        # Python adds the address, which the line below names already.
        reason = str(error.strerror or error).partition(" (while")[0]
        # Otherwise the name leads nowhere, or to another machine: no port helps.
        wrong = "PORT" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "HOST"
        sys.exit(
            f"Cannot listen on {settings.host} port {settings.port}: {reason}. "
            f"Set {wrong} to choose another."
        )
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again when it has stopped; this makes it a clean exit.
        signal.signal(number, lambda *_: sys.exit(0))
    # What exists now stays: looking through it again and again would hold up requests.
    gc.freeze()
    config = uvicorn.Config(
        app,
        http="auto" if "joined_writes" in settings.plain else JoinedWritesProtocol,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here looks at the caller's address
        workers=1,  # this one: uvicorn would read WEB_CONCURRENCY, and stumble over a word in it
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
