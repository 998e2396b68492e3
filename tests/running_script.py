"""The scripts as a user runs them: to their end, or `run_services.sh` until it is stopped."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.running_lab import ROOT, find_free_port

RUN = ROOT / "run_services.sh"
TEST = ROOT / "test_services.sh"
SECONDS = 300  # however busy the machine is
KEYS = {"GATEWAY_API_KEYS": "first-key,second-key", "PREDICTOR_API_KEY": "b-key"}
HOUSE = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not in {SECONDS} s: {what}"
        time.sleep(0.05)


def answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def clean_environment(**changes: str) -> dict[str, str]:
    """What tests run in, with a Python: to search for one costs each script more than its work."""
    ours = ("SERVICE_A_PORT", "SERVICE_B_PORT", "SERVICE_B_URL", "LAB_FAULTS", *KEYS)
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PYTHON": sys.executable, **changes}


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, in a folder that isn't its own."""
    return subprocess.run(
        command,
        cwd="/",
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def copy_scripts(folder: Path) -> Path:
    """Copy the scripts into a folder and return `run_services.sh` there."""
    for script in (RUN, TEST):
        shutil.copy(script, folder)
    # With its byte code, but without what is being written.
    shutil.copytree(ROOT / "lab", folder / "lab", ignore=shutil.ignore_patterns("*.pyc.*"))
    return folder / RUN.name


def copy_services(folder: Path, *ignored: str) -> Path:
    """Copy the scripts and both services, with the venvs that these have, into a folder."""
    ignore = shutil.ignore_patterns(".*", "*.pyc.*", "data", "tests", *ignored)
    for service in ("service_a", "service_b"):
        shutil.copytree(ROOT / service, folder / service, ignore=ignore)
        (folder / service / ".venv").symlink_to((ROOT / service / ".venv").resolve())
    return copy_scripts(folder)


def _heed_signals() -> None:
    """Undo `&` and `nohup`: a signal has no effect on what is started while it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class RunningScript:
    """`run_services` on free ports, in a process group of its own, its output in a file."""

    def __init__(
        self,
        folder: Path,
        *,
        command: Sequence[str | Path] = (RUN,),
        terminal: bool = False,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.a_port = find_free_port()
        self.b_port = find_free_port()
        self._output = folder / "output"
        in_terminal = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*(in_terminal if terminal else []), *command],
                cwd="/",
                env=clean_environment(
                    SERVICE_A_PORT=str(self.a_port),
                    SERVICE_B_PORT=str(self.b_port),
                    INPUT_LOG_URL=f"sqlite:///{folder / 'inputs.db'}",
                    **(environment or {}),
                ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_heed_signals,
            )

    def read_output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait_until_up(self) -> None:
        def is_up() -> bool:
            assert self.process.poll() is None, self.read_output()
            return "Both services are up" in self.read_output()

        wait_until(is_up, "both services up")

    def wait_until_ports_are_free(self) -> None:
        wait_until(lambda: not answers(self.a_port) and not answers(self.b_port), "both ports free")

    def find_service(self, letter: str) -> int:
        """Return the process id of a service: the child of what copies its log."""
        columns = ["-o", "pid=", "-o", "ppid=", "-o", "command="]
        table = subprocess.run(
            ["ps", "-A", "-ww", *columns], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split(maxsplit=2) for line in table.splitlines()]
        [copies_log] = [
            pid
            for pid, parent, *command in rows
            if parent == str(self.process.pid) and "".join(command).rstrip().endswith(f"{letter} |")
        ]
        [service] = [int(pid) for pid, parent, *_ in rows if parent == copies_log]
        return service

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(SECONDS)
