"""How a service is watched. With real services: `test_scripts.py`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import LabFailure, Stopped
from lab.services import Service, watch
from tests.running_lab import find_free_port

if sys.platform == "win32":
    pytest.skip("stands in for a venv's Python with a link", allow_module_level=True)


def start(folder: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Start a Service A that is this program."""
    (folder / "service_a/.venv/bin").mkdir(parents=True)
    (folder / "service_a/.venv/bin/python").symlink_to(sys.executable)
    (folder / "service_a/main.py").write_text(program)
    (folder / "lab").symlink_to(Path(__file__).parents[2] / "lab")
    monkeypatch.chdir(folder)
    with (folder / "output").open("wb") as output:
        return Service("A", find_free_port(), {}, output)


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("exit(3)", "status 3;"),
        ("import os; os.kill(os.getpid(), 9)", "status 137 (signal 9);"),
        ("exit(0)", "status 0;"),
    ],
)
def test_start_fails_with_how_a_service_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, how: str
) -> None:
    service = start(tmp_path, program, monkeypatch)

    with pytest.raises(LabFailure) as failure:
        service.wait_until_healthy(60)

    assert str(failure.value) == f"Service A ended with {how} its log is above."
    service.stop()


def test_start_gives_up_when_a_service_never_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(tmp_path, "import signal; signal.pause()", monkeypatch)

    with pytest.raises(LabFailure, match=r"is not healthy after 0\.1 s \(START_TIMEOUT_SECONDS\)"):
        service.wait_until_healthy(0.1)

    service.stop()


def test_services_are_told_their_address_whatever_the_caller_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "x86_64-conda-linux-gnu")
    monkeypatch.setenv("PORT", "80")
    program = "import os; print(os.environ['HOST'], os.environ['PORT'] != '80')"

    service = start(tmp_path, program, monkeypatch)
    with pytest.raises(LabFailure):
        service.wait_until_healthy(60)

    assert (tmp_path / "output").read_text() == "A | 127.0.0.1 True\n"
    service.stop()


def test_watch_ends_when_the_parent_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass

    with pytest.raises(Stopped):
        watch([], parent=ended.pid)
    assert os.getppid() != ended.pid
