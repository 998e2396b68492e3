"""The scripts wherever they lie, whoever calls them, and whatever the environment says."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import requests

from tests.running_lab import ROOT
from tests.running_script import (
    HOUSE,
    RUN,
    SECONDS,
    TEST,
    RunningScript,
    clean_environment,
    copy_scripts,
    copy_services,
    run,
)

if sys.platform == "win32":
    pytest.skip("the scripts need a POSIX shell", allow_module_level=True)

# What shells, URLs, patterns and formats give a meaning to.
FOLDER = """lab? #1 100%41 it's "my" $HOME {copy} [a] *é"""


@pytest.fixture
def misleading(tmp_path: Path) -> dict[str, str]:
    """Variables that are meant for other programs, and would stop these if they were heeded."""
    modules = tmp_path / "modules"
    modules.mkdir()
    for name in ("lab", "gateway", "predictor", "json", "pip"):
        (modules / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    return {
        "PYTHONPATH": str(modules),
        "PYTHONSAFEPATH": "1",
        "PYTHONHOME": str(tmp_path),
        "PYTHONIOENCODING": "cp932",
        "PYTHONWARNINGS": "error",
        "PYTHONINSPECT": "1",
        "PIP_USER": "1",
        "PIP_TARGET": str(tmp_path / "target"),
        "PIP_REQUIRE_HASHES": "1",
        "UV_SYSTEM_PYTHON": "1",
        "UV_REQUIRE_HASHES": "1",
        "HOST": "x86_64-conda-linux-gnu",
        "CDPATH": "/",
    }


def test_services_start_whatever_the_folder_is_called_and_the_environment_says(
    tmp_path: Path, misleading: dict[str, str]
) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    command: list[str | Path] = ["sh", copy_services(folder)]
    environment = {**misleading, "PYTHON": ""}  # it has to find one
    script = RunningScript(tmp_path, command=command, environment=environment)
    try:
        script.wait_until_up()
        url = f"http://localhost:{script.a_port}/process"
        answer = requests.post(url, json={"data": HOUSE}, timeout=SECONDS).json()
    finally:
        script.stop()

    assert answer["model_prediction"]["prediction"]["price"] > 0
    assert script.process.returncode == 143


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
def test_scripts_run_in_any_posix_shell_from_any_folder(tmp_path: Path, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    folder = tmp_path / FOLDER
    folder.mkdir()
    copy_scripts(folder)
    for script in (RUN.name, TEST.name):
        for place, name in ((folder, script), (tmp_path, f"{FOLDER}/{script}")):
            result = subprocess.run(
                [shell, name, "--help"],
                cwd=place,
                env=clean_environment(CDPATH="/"),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            assert (result.returncode, result.stderr) == (0, "")
            assert result.stdout.startswith(f"Usage: ./{script}\n")


def prepare(folder: Path, **environment: str) -> str:
    """Prepare `service_a` in a folder, and return what that said."""
    arguments = ("--prepare", "requirements.txt", "service_a")
    result = run(folder / RUN.name, *arguments, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def make_lab(folder: Path) -> Path:
    """The scripts beside a service that was never installed and needs no package."""
    (folder / "service_a").mkdir(parents=True)
    (folder / "service_a/requirements.txt").touch()
    copy_scripts(folder)
    return folder


# What is left out of the environment: `lab/test_environment.py`.
@pytest.mark.skipif("CI" not in os.environ, reason="makes a venv: runs only in CI")
def test_packages_go_into_the_venv_whatever_the_environment_says(
    tmp_path: Path, misleading: dict[str, str]
) -> None:
    lab = make_lab(tmp_path / "lab")
    with zipfile.ZipFile(lab / "small-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("small.py", "")
        wheel.writestr(
            "small-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1\n"
        )
        wheel.writestr("small-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("small-1.dist-info/RECORD", "")
    (lab / "service_a/requirements.txt").write_text(f"--no-index\n--find-links {lab}\nsmall==1\n")

    prepare(lab, **misleading)

    assert list(lab.glob("service_a/.venv/lib/python*/site-packages/small.py"))


# In its parts, with a fake pip: `lab/test_venvs.py`.
@pytest.mark.skipif("CI" not in os.environ, reason="makes two venvs: runs only in CI")
def test_venv_is_kept_where_it_is_linked_to_and_made_anew_when_its_folder_was_moved(
    tmp_path: Path,
) -> None:
    lab, other = (make_lab(tmp_path / name) for name in ("lab", "other"))
    made = prepare(lab)
    assert made.startswith("Making service_a/.venv with Python ")

    (other / "service_a/.venv").symlink_to(lab / "service_a/.venv")
    assert prepare(other) == ""

    made_again = prepare(moved := lab.rename(tmp_path / "elsewhere"))
    assert made_again.splitlines()[0] == made.splitlines()[0]
    assert str(moved) in (moved / "service_a/.venv/pyvenv.cfg").read_text()
    assert prepare(moved) == ""


def test_files_have_the_same_bytes_when_git_writes_windows_line_endings(tmp_path: Path) -> None:
    checked_out = tmp_path / "lab"
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    check_out = [*git, "checkout-index", "--all", f"--prefix={checked_out}/"]
    if subprocess.run(check_out, cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("not a clone of the repository")

    files = [path for path in checked_out.rglob("*") if path.is_file()]
    with_crlf = {path.suffix for path in files if b"\r\n" in path.read_bytes()}
    assert with_crlf <= {".ps1", ".joblib", ".png"}
    for path in checked_out.glob("service_b/models/*/*/*"):
        assert path.read_bytes() == (ROOT / path.relative_to(checked_out)).read_bytes(), path


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
def test_scripts_work_when_something_else_wrote_windows_line_endings(
    tmp_path: Path, shell: str
) -> None:
    copy_scripts(tmp_path)
    for path in [*tmp_path.glob("*.sh"), *tmp_path.glob("lab/*.sh"), *tmp_path.glob("lab/*.py")]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    for script in (RUN, TEST):
        command = [shutil.which(shell) or "sh", script.name, "--help"]
        result = subprocess.run(
            command,
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            check=True,
            timeout=SECONDS,
        )
        assert result.stdout.startswith(b"Usage: ./" + script.name.encode())
        assert result.stderr == b""
