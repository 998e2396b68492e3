"""Whether a port can be had, and which are free."""

import errno
import os
import socket

from lab.errors import LabFailure
from lab.shells import Shell

_LOOPBACK = "127.0.0.1"


def check_port_is_free(name: str, variable: str, port: int, shell: Shell) -> None:
    """Stop with a line that says why a service can't listen on its port, and what to do."""
    reason = _find_obstacle(port)
    if reason:
        free = port - 1000 if port > 60000 else port + 1000
        other = shell.with_variable.format(name=variable, value=free, command=shell.run)
        raise LabFailure(
            f"port {port}, for {name}, cannot be used: {reason}. Stop what uses it, such as an"
            f" earlier start of the lab, or choose another: {other}"
        )


def find_free_ports() -> tuple[int, int]:
    """Return two ports on which nothing listens now."""
    with socket.socket() as one, socket.socket() as other:
        one.bind((_LOOPBACK, 0))
        other.bind((_LOOPBACK, 0))
        return one.getsockname()[1], other.getsockname()[1]


def _find_obstacle(port: int) -> str | None:
    # Asks before it binds: macOS lets a second process bind a port taken on another address.
    try:
        socket.create_connection(("localhost", port), 1).close()
    except OSError:
        pass
    else:
        return os.strerror(errno.EADDRINUSE)
    with socket.socket() as probe:
        # On Windows SO_REUSEADDR would share the port with whoever has it.
        option = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
        probe.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError as error:
            return error.strerror or str(error)
    return None
