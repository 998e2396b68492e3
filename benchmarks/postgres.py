"""A PostgreSQL server for logs that several copies of Service A share."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def is_installed() -> bool:
    """Say whether Debian's package is there."""
    return bool(_FOLDERS)


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server as it is installed, and give the URL of its one database."""
    # Its user gets in there, unlike in the folder of the code; and it is on a disk, unlike /tmp.
    with TemporaryDirectory(dir="/var/tmp") as name:
        folder, as_user = Path(name), list[str]()
        if os.geteuid() == 0:  # which may not run it
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

        def run(program: str, *arguments: str) -> None:
            command = [*as_user, str(_FOLDERS[-1] / program), "-D", str(folder / "data")]
            output = subprocess.DEVNULL
            subprocess.run([*command, *arguments], check=True, stdout=output, cwd=folder)

        run("initdb", "--auth=trust", "--username=postgres")
        options = f"-k {folder} -c listen_addresses="
        run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            run("pg_ctl", "stop", "-w", "-m", "fast")
