"""A PostgreSQL server of the tests' own, from Debian's package where it is installed."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import create_engine, text

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def find_programs() -> Path | None:
    """Return the folder of the server's programs, None if it isn't installed."""
    if _FOLDERS:
        return _FOLDERS[-1]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


class PostgresServer:
    """Listens on a socket in `folder` only. Root may not run it, so it gets Debian's user."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._count = 0
        self._as_user = []
        if os.geteuid() == 0:
            self._as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync", "-D", self._data)
        self.start()

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses="
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", log, "-o", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)

    def make_schema(self) -> str:
        """Return the URL of a new schema, which is to its users as good as an empty database."""
        self._count += 1
        name = f"test{self._count}"
        engine = create_engine(self._url)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
        engine.dispose()
        return f"{self._url}&options=-csearch_path%3D{name}"

    def make_database(self, name: str) -> None:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()

    def start_as_user(self, *command: str | Path, folder: Path) -> subprocess.Popen[bytes]:
        """Start a program as the user that runs the server, with a folder for what it writes."""
        if self._as_user:
            owner = self._folder.stat()
            os.chown(folder, owner.st_uid, owner.st_gid)
        output = subprocess.DEVNULL
        return subprocess.Popen([*self._as_user, *command], stdout=output, stderr=output)

    @property
    def socket_path(self) -> Path:
        return self._folder / ".s.PGSQL.5432"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of the server's processes."""
        first = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        for process in (first, *_find_children(first)):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    @property
    def _url(self) -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self._folder}"

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user, self._programs / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
        )


class PgBouncer:
    """A pooler in front of a server, by transactions. Its database `postgres` is one of its own."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self._folder = folder
        server.make_database("bounced")
        settings = {
            "listen_port": 6432,
            "unix_socket_dir": folder,
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": 2,
            "logfile": folder / "log",
            "pidfile": folder / "pid",
        }
        address = f"host={server.socket_path.parent} dbname=bounced user=postgres"
        lines = ["[databases]", f"postgres = {address}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (folder / "pgbouncer.ini").write_text("\n".join(lines))
        self._process = server.start_as_user("pgbouncer", folder / "pgbouncer.ini", folder=folder)
        deadline = time.monotonic() + 300  # however busy the machine is
        while not self.socket_path.exists():
            assert time.monotonic() < deadline
            assert self._process.poll() is None
            time.sleep(0.01)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self._folder}&port=6432"

    @property
    def socket_path(self) -> Path:
        return self._folder / ".s.PGSQL.6432"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _find_children(parent: int) -> list[int]:
    children = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(file.read_text().rpartition(")")[2].split()[1]) == parent:
                children.append(int(file.parent.name))
    return children


class PostgresProxy:
    """Stands between a gateway and the server, and passes on what each of them says.

    `heard` is called with what the gateway says; it is passed on if that returns true. If
    `cuts_at_answer` is set, the connections end at the next answer.
    """

    def __init__(self, server: PostgresServer | PgBouncer) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.cuts_at_answer = False
        self.heard: Callable[[bytes], bool] = lambda _: True
        threading.Thread(target=self._accept, daemon=True).start()

    def get_url(self, url: str) -> str:
        """Return the URL of a schema as it is through this."""
        _, _, options = url.partition("&")
        port = self._listener.getsockname()[1]
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres?sslmode=disable&{options}"

    def cut(self) -> None:
        """End the connections that there are."""
        for each in self._sockets.copy():  # a gateway that is cut off connects again at once
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                gateway, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server.socket_path))
                self._sockets += [gateway, server]
                for pump in (self._pass_on, self._answer):
                    threading.Thread(target=pump, args=(gateway, server), daemon=True).start()

    def _pass_on(self, gateway: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while said := gateway.recv(65536):
                if self.heard(said):
                    server.sendall(said)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, gateway: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while said := server.recv(65536):
                if self.cuts_at_answer:
                    self.cuts_at_answer = False
                    self.cut()
                gateway.sendall(said)
            gateway.shutdown(socket.SHUT_WR)
