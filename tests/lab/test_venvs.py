"""When a venv is kept, and when it is made anew. How one is filled: `test_scripts_install.py`."""

import os
import sys
import venv
from pathlib import Path

import pytest

from lab.errors import LabFailure
from lab.venvs import find_python, prepare


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service with a venv that was made by hand and has no packages, beside a fake pip."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")  # no uv
    monkeypatch.delenv("PYTHON", raising=False)
    folder = tmp_path / "service"
    folder.mkdir()
    (folder / "requirements.txt").touch()
    venv.create(folder / ".venv", symlinks=os.name != "nt")
    [packages] = (folder / ".venv").glob("[Ll]ib/**/site-packages")
    (packages / "pip.py").write_text("import sys; sys.exit('broken' in sys.argv[-1])\n")
    return folder


def prepare_again(capsys: pytest.CaptureFixture[str], lock: str = "requirements.txt") -> str:
    capsys.readouterr()
    prepare("service", lock)
    return capsys.readouterr().out


def test_venv_made_by_hand_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marker = folder / ".venv/marker"
    marker.touch()

    lock = Path("service/requirements.txt")
    assert prepare_again(capsys) == (
        f"Installing the packages of {lock}\nInstalled 0 packages in 1 s\n"
    )
    assert prepare_again(capsys) == ""
    assert marker.exists()


def test_packages_are_installed_again_when_the_lock_or_the_python_changed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare("service", "requirements.txt")
    stamp = folder / ".venv/requirements.txt.stamp"
    of_another_python = stamp.read_text().replace(sys.version.split()[0], "3.11.0")

    for file, text in ((folder / "requirements.txt", "# changed\n"), (stamp, of_another_python)):
        file.write_text(text)
        assert prepare_again(capsys).startswith("Installing")
        assert prepare_again(capsys) == ""


def test_each_lock_has_a_stamp_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements-dev.txt").touch()

    assert prepare_again(capsys).startswith("Installing")
    assert prepare_again(capsys, "requirements-dev.txt").startswith("Installing")
    assert prepare_again(capsys) == ""


def test_failed_install_leaves_no_stamp(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare("service", "requirements.txt")
    broken = folder / "broken.txt"
    broken.touch()

    for _ in range(2):
        with pytest.raises(LabFailure, match=r"packages of .* could not be installed"):
            prepare("service", broken.name)
    assert prepare_again(capsys) == ""


@pytest.mark.parametrize("what", ["python", "pip", "version", "place"])
def test_venv_is_made_anew_when_it_does_not_fit(
    folder: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare("service", "requirements.txt")
    settings = folder / ".venv/pyvenv.cfg"
    if what == "python":
        find_python(folder / ".venv").unlink()
    elif what == "pip":
        [pip] = (folder / ".venv").glob("[Ll]ib/**/pip.py")
        pip.unlink()
    elif what == "version":
        monkeypatch.setenv("PYTHON", "another")
        monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "99", "0"))
    else:
        settings.write_text(settings.read_text().replace(str(folder), f"{folder}-before"))

    def make(made: Path, _installer: str) -> None:
        raise LabFailure(f"{made} is made")

    monkeypatch.setattr("lab.venvs._make", make)

    with pytest.raises(LabFailure, match=r"is made$"):
        prepare("service", "requirements.txt")


@pytest.mark.skipif(os.name == "nt", reason="links need a right that few users have")
def test_venv_is_kept_where_it_is_linked_to(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare("service", "requirements.txt")
    other = folder.with_name("other")
    other.mkdir()
    (other / "requirements.txt").touch()
    (other / ".venv").symlink_to(folder / ".venv")
    capsys.readouterr()

    prepare("other", "requirements.txt")

    assert capsys.readouterr().out == ""


def test_venv_is_kept_when_only_the_letter_case_of_its_place_differs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare("service", "requirements.txt")
    settings = folder / ".venv/pyvenv.cfg"
    settings.write_text(settings.read_text().replace(str(folder), str(folder).upper()))

    assert prepare_again(capsys) == ""


def test_lock_is_named_when_it_does_not_exist(folder: Path) -> None:
    with pytest.raises(LabFailure, match=r"no-such-lock\.txt does not exist"):
        prepare(folder.name, "no-such-lock.txt")
