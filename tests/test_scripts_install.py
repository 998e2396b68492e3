"""What `run_services.sh` does before it starts anything: Python, ports, venvs, packages."""

import os
import re
import shutil
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.running_lab import find_free_port
from tests.running_script import RUN, copy_scripts, run

if sys.platform == "win32":
    pytest.skip("the scripts need a POSIX shell", allow_module_level=True)


@pytest.fixture
def fresh_copy(tmp_path: Path) -> Path:
    """The script beside two services that were never installed and need no package."""
    for service in ("service_a", "service_b"):
        (tmp_path / service).mkdir()
        (tmp_path / service / "requirements.txt").touch()
    return copy_scripts(tmp_path)


@pytest.mark.parametrize("service", ["A", "B"])
def test_taken_port_is_named_before_anything_is_installed(fresh_copy: Path, service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ports = {
            "SERVICE_A_PORT": str(find_free_port()),
            "SERVICE_B_PORT": str(find_free_port()),
            f"SERVICE_{service}_PORT": port,
        }
        result = run(fresh_copy, **ports)

    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert f"port {port}, for Service {service}, cannot be used" in line
    assert f"SERVICE_{service}_PORT=" in line
    assert not (fresh_copy.parent / "service_b/.venv").exists()


# What else is refused: `lab/test_settings.py`.
def test_start_is_refused_when_a_port_is_not_a_port() -> None:
    result = run(RUN, SERVICE_B_PORT="80a")

    assert result.returncode == 1
    assert result.stderr == (
        "run_services.sh: SERVICE_B_PORT=80a is not a port; it must be a number from 1 to 65535.\n"
    )


def test_start_is_refused_when_the_chosen_python_is_none() -> None:
    result = run(RUN, PYTHON="no-such-python")

    assert result.returncode == 1
    assert result.stderr == (
        "run_services.sh: PYTHON=no-such-python is not a Python 3.11 to 3.14.\n"
    )


OLD_PYTHON = "#!/bin/sh\n[ $1 = --version ] && echo Python 3.9.2\n"  # and fails otherwise


@pytest.mark.parametrize(
    ("python3", "found"), [(None, "not there"), (OLD_PYTHON, "Python 3.9.2")], ids=["none", "old"]
)
def test_what_to_install_is_said_when_there_is_no_suitable_python(
    fresh_copy: Path, python3: str | None, found: str
) -> None:
    commands = provide_commands(fresh_copy.parent)
    if python3 is not None:
        (commands / "python3").write_text(python3)
        (commands / "python3").chmod(0o755)

    result = run(fresh_copy, PATH=str(commands), PYTHON="")

    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert f"no Python 3.11 to 3.14 was found (python3 is {found}). Install one" in line
    assert "PYTHON=/path/to/python3 ./run_services.sh" in line


def test_package_to_install_is_named_when_python_has_no_venv_module(fresh_copy: Path) -> None:
    folder = fresh_copy.parent / "python"
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    # As Debian leaves it out.
    (packages / "sitecustomize.py").write_text("import sys; sys.modules['ensurepip'] = None\n")
    commands = provide_commands(fresh_copy.parent)

    result = run(
        fresh_copy,
        *("--prepare", "requirements.txt", "service_a"),
        PATH=str(commands),
        PYTHON=str(folder / "bin/python"),
    )

    assert result.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    [line] = result.stderr.splitlines()
    assert "has no venv module" in line
    assert line.endswith(f"sudo apt install python{version}-venv")


def provide_commands(folder: Path) -> Path:
    """Make a folder for the PATH that has all that the scripts need, no Python and no uv."""
    commands = folder / "commands"
    commands.mkdir()
    (commands / "dirname").symlink_to(str(shutil.which("dirname")))
    return commands


class Install:
    """The script beside a service whose venv exists already, made and filled without uv."""

    def __init__(self, folder: Path) -> None:
        self.lock = folder / "service_a/requirements.txt"
        self.lock.parent.mkdir()
        self.lock.touch()
        self._script = copy_scripts(folder)
        self._commands = provide_commands(folder)
        self.first = self.prepare()

    def prepare(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return run(
            self._script,
            *("--prepare", "requirements.txt", "service_a"),
            PATH=str(self._commands),
            **environment,
        )


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    if "CI" not in os.environ:
        pytest.skip("makes a venv with pip: runs only in CI")
    return Install(tmp_path_factory.mktemp("install"))


def test_pip_installs_when_there_is_no_uv(install: Install) -> None:
    assert install.first.returncode == 0, install.first.stderr
    assert "Making service_a/.venv" in install.first.stdout
    assert (install.lock.parent / ".venv/bin/pip").exists()


def test_venv_is_refreshed_only_when_its_lock_changed(install: Install) -> None:
    install.lock.write_text("# changed\n")

    first, last = install.prepare().stdout.splitlines()
    assert first == "Installing the packages of service_a/requirements.txt"
    assert re.fullmatch(r"Installed 0 packages in \d+ s", last)
    result = install.prepare()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_failed_install_is_tried_again_when_the_script_starts_again(install: Install) -> None:
    install.lock.write_text("--no-index\nno-such-package==1\n")

    for _ in range(2):
        result = install.prepare()

        assert result.returncode == 1
        assert "no-such-package" in result.stderr  # the installer's own words
        assert result.stderr.endswith(
            "run_services.sh: the packages of service_a/requirements.txt could not be installed;"
            " why stands above, and more in service_a/.venv/install.log.\n"
        )


def test_connection_is_blamed_when_no_index_can_be_reached(install: Install) -> None:
    install.lock.write_text("no-such-package==1\n")

    result = install.prepare(PIP_INDEX_URL=f"http://127.0.0.1:{find_free_port()}", PIP_RETRIES="1")

    assert result.returncode == 1
    reason, line = result.stderr.splitlines()
    assert "Connection refused" in reason
    assert "their index can't be reached. Check the internet connection" in line
