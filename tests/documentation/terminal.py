"""Where commands are typed: bash in a copy of the repository, its ports those of the reader."""

import filecmp
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.running_lab import ROOT, find_free_port

BASH = ("bash", "-ec")
COMMAND_SECONDS = 600  # some install packages in CI
# The services listen on IPv4 only.
_CURL_SETTINGS = "silent\nshow-error\nmax-time = 30\nipv4\n"
# Where the machine has certificates of its own, some programs find them only by the variable.
_INHERITED = {name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE") if name in os.environ}
# Byte code is copied too, so that no reader compiles the services anew; not what is being written.
_LEFT_OUT = shutil.ignore_patterns(".*", "*.pyc.*", "data", "tests", "results")


class Running(NamedTuple):
    """A command and the file that takes what it prints."""

    process: subprocess.Popen[bytes]
    output: Path


class Terminal:
    """Runs commands, each in a bash of its own, and knows what they may have left running."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "lab"
        self._home = folder
        self._ports: dict[str, int] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        (folder / ".curlrc").write_text(_CURL_SETTINGS)
        for service in ("service_a", "service_b"):
            shutil.copytree(ROOT / service, self.root / service, ignore=_LEFT_OUT)
            (self.root / service / ".venv").symlink_to(ROOT / service / ".venv")
        shutil.copytree(ROOT / "docs", self.root / "docs", ignore=shutil.ignore_patterns("images"))
        shutil.copytree(ROOT / "lab", self.root / "lab", ignore=_LEFT_OUT)
        shutil.copy(ROOT / "test_services.sh", self.root)

    def use_port(self, shown: str, port: int) -> None:
        self._ports[shown] = port

    def localise(self, text: str) -> str:
        """Write a command with the ports that the services have here."""

        def replace(found: re.Match[str]) -> str:
            return str(self._ports.setdefault(found[0], find_free_port()))

        return re.sub(r"\b800\d\b", replace, text)

    def run(self, script: str, folder: Path, shell: Sequence[str] = BASH) -> Running:
        """Start a shell with a script and return at once."""
        output = self._home / f"output-{len(self._processes)}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*shell, self.localise(script)],
                cwd=folder,
                env={**_INHERITED, "HOME": str(self._home), "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return Running(process, output)

    def wait(self, running: Running) -> tuple[int, str]:
        """Return the status of a command and what it printed, with the ports as shown."""
        try:
            status = running.process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end in {COMMAND_SECONDS} s") from None
        printed = running.output.read_text(errors="replace").replace("\r\n", "\n")
        for shown, port in self._ports.items():
            printed = re.sub(rf"\b{port}\b", shown, printed)
        return status, printed

    def list_changes(self) -> list[str]:
        """Return the files that differ from the repository's, without those that git ignores."""
        changed = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if name != ".venv"]
            for file in (Path(folder, name) for name in files):
                inside = file.relative_to(self.root)
                original = ROOT / inside
                if not (original.is_file() and filecmp.cmp(file, original, shallow=False)):
                    changed.append(str(inside))
        ignored = subprocess.run(
            ["git", "check-ignore", "--no-index", "--stdin"],
            cwd=ROOT,
            input="\n".join(changed),
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.splitlines()
        return sorted(set(changed) - set(ignored))

    def close(self) -> None:
        """End what commands have left running, and remove the copy: some make large venvs."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.root)
