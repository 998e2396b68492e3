"""How far an installer has come, read from what pip and uv really print."""

import io
import re
import sys
from pathlib import Path

import pytest

from lab.progress import Progress, run_with_progress
from tests.lab.test_output import FakeTerminal

LOCK = "# made by uv\nalpha==1.0\nbeta-two==2.0 ; sys_platform != 'win32'\ngamma==3.0\n"


class FakeInstalled:
    """The folders that an installer makes, one for each package."""

    def __init__(self) -> None:
        self.folders = {Path("pip-25.0.dist-info")}

    def list(self) -> set[Path]:
        return set(self.folders)


def test_packages_of_pip_are_fetched_then_installed() -> None:
    installed = FakeInstalled()
    progress = Progress(LOCK, installed.list)

    assert progress.write(0) == "0 of 3 packages fetched, 0 s"
    progress.read("Ignoring beta-two: markers 'sys_platform != \"win32\"' don't match\n")
    progress.read("Collecting alpha==1.0 (from -r requirements.txt (line 2))\n")
    progress.read("  Downloading alpha-1.0-py3-none-any.whl (5.3 kB)\n")
    assert progress.draw(1.2) == "[############............] 1 of 2 packages fetched, 1 s"
    progress.read("Processing ./gamma-3.0-py3-none-any.whl\n")
    progress.read("Installing collected packages: gamma, alpha\n")
    assert progress.write(2) == "0 of 2 packages installed, 2 s"
    installed.folders.add(Path("gamma-3.0.dist-info"))
    assert progress.draw(3) == "[############............] 1 of 2 packages installed, 3 s"


def test_packages_of_uv_are_fetched_then_installed_then_compiled() -> None:
    progress = Progress(LOCK, FakeInstalled().list)

    progress.read("Resolved 2 packages in 366ms\n")
    assert progress.write(1) == "0 of 2 packages fetched, 1 s"
    progress.read("Prepared 2 packages in 1.20s\n")
    assert progress.write(2) == "0 of 2 packages installed, 2 s"
    progress.read("Installed 2 packages in 244ms\n")
    assert progress.draw(3) == f"[{'#' * 24}] 2 packages installed, compiling them, 3 s"


class FakeTouchedTerminal(FakeTerminal):
    """A terminal that makes a file as soon as the bar is drawn."""

    def __init__(self, drawn: Path) -> None:
        super().__init__()
        self._drawn = drawn

    def write(self, text: str) -> int:
        if "[########................] 1 of 3" in text:
            self._drawn.touch()
        return super().write(text)


@pytest.mark.parametrize("is_terminal", [False, True])
def test_bar_is_drawn_only_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_terminal: bool
) -> None:
    drawn = tmp_path / "drawn"
    terminal = FakeTouchedTerminal(drawn) if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", terminal)
    code = "print('Collecting alpha==1.0', flush=True)"
    if is_terminal:
        code += f"\nimport os, time\nwhile not os.path.exists({str(drawn)!r}): time.sleep(0.01)"
    log = io.BytesIO()

    progress = Progress(LOCK, FakeInstalled().list)
    assert run_with_progress([sys.executable, "-c", code], {}, log, progress)

    assert drawn.exists() == is_terminal
    assert ("[" in terminal.getvalue()) == is_terminal
    assert re.search(r"(^|\r)Installed 0 packages in \d+ s\n$", terminal.getvalue())
    assert log.getvalue().split() == [b"Collecting", b"alpha==1.0"]


def test_nothing_is_said_to_be_installed_when_the_installer_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in ([sys.executable, "-c", "raise SystemExit(1)"], ["no-such-installer"]):
        progress = Progress(LOCK, FakeInstalled().list)
        assert not run_with_progress(command, {}, io.BytesIO(), progress)

    assert capsys.readouterr().out == ""
