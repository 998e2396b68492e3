"""A PostgreSQL server of the tests' own, from Debian's package where it is installed."""

import os
import pwd
import shutil
import subprocess
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
