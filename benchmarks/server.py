"""A server as a real process on a free loopback port, and what the kernel counts for it."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_START_SECONDS = 120
_STOP_SECONDS = 15
_IDLE_SECONDS = 60
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_MIB = 2**20


class ServerFailed(Exception):
    """A server did not start, or ended by itself; the message has the end of its output."""


def find_free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Server:
    """One server with all its processes. `{port}` in its command and environment is its port."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        output: Path,
        environment: Mapping[str, str] | None = None,
        health: str = "/health",
        host: str = "127.0.0.1",
        port: int | None = None,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port or find_free_port()
        self._command = [str(part).replace("{port}", str(self.port)) for part in command]
        self._environment = {
            key: value.replace("{port}", str(self.port))
            for key, value in (environment or {}).items()
        }
        self._cwd = cwd
        self._output = output
        self._health = health
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> float:
        """Start, and return how many seconds it took until it was healthy.

        Raises:
            ServerFailed: it ended, or was not healthy in time.
        """
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        inherited["LAB_ENV_FILE"] = os.devnull  # what is in .env would be measured, too
        started = time.monotonic()
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=inherited | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while not self._is_healthy():
            if self._process.poll() is not None:
                raise self._fail("ended while it started")
            if time.monotonic() - started > _START_SECONDS:
                raise self._fail("was not healthy in time")
            time.sleep(0.01)
        return time.monotonic() - started

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", self._health)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _fail(self, what: str) -> ServerFailed:
        end = self._output.read_text(errors="replace")[-2000:]
        return ServerFailed(f"{self.name} {what}:\n{end}")

    def stop(self) -> None:
        """End all its processes, by force if need be."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        # Its session is its own, so nobody else's process is in the group.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def find_processes(self) -> list[int]:
        """List its processes: the one that was started and all its descendants."""
        if self._process is None or self._process.poll() is not None:
            raise self._fail("ended")
        found = [self._process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, _read(children).split())
        return found

    def read_cpu_seconds(self) -> float:
        """Sum the processor time, user's and kernel's, of its processes."""
        # The name in parentheses may hold anything; user and system time come 12th after it.
        fields = [
            _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
            for pid in self.find_processes()
        ]
        return sum(int(each[11]) + int(each[12]) for each in fields if each) / _TICKS_PER_SECOND

    def read_memory_mib(self) -> float:
        """Sum the resident memory of its processes, in MiB; pages that they share count in each."""
        fields = [_read(Path(f"/proc/{pid}/statm")).split() for pid in self.find_processes()]
        pages = sum(int(each[1]) for each in fields if each)
        return pages * os.sysconf("SC_PAGE_SIZE") / _MIB

    def wait_until_idle(self) -> None:
        """Wait until what earlier callers left behind is done."""
        deadline = time.monotonic() + _IDLE_SECONDS
        before = self.read_cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.2)
            now = self.read_cpu_seconds()
            if now - before <= 0.02:
                return
            before = now


def _read(file: Path) -> str:
    """Read a file of /proc; nothing, when its process has just ended."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
