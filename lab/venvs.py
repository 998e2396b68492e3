"""The venv of each service: made, kept while it fits, and filled with what a lock lists."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from lab.environment import make_environment
from lab.errors import LabFailure
from lab.progress import Progress, run_with_progress

_IN_WINDOWS = os.name == "nt"
_PACKAGES = "Lib/site-packages" if _IN_WINDOWS else "lib/python*/site-packages"
_SAY_VERSION = """
import importlib.util, sys
version = sys.version_info[:2]
if (3, 11) <= version <= (3, 14) and (sys.argv[1] == "uv" or importlib.util.find_spec("pip")):
    print("%d.%d" % version, sys.version.split()[0])
"""
_UNREACHABLE = re.compile("connection broken|network was disabled|Failed to fetch|timed out")


def find_python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if _IN_WINDOWS else "bin/python")


def prepare(folder: str, lock_name: str) -> None:
    """Make or refresh the venv in a folder, if its lock or its Python changed since last time."""
    venv, lock = Path(folder, ".venv"), Path(folder, lock_name)
    if not lock.is_file():
        raise LabFailure(f"{lock} does not exist.")
    installer = "uv" if _run(["uv", "--version"], subprocess.DEVNULL) else "pip"
    if not _fits(venv, installer):
        _make(venv, installer)
    version = _ask_version(venv, installer)[1]
    stamp = venv / f"{lock_name}.stamp"
    wanted = f"{hashlib.sha256(lock.read_bytes()).hexdigest()} {version}"
    if stamp.is_file() and stamp.read_text().strip() == wanted:
        return
    print(f"Installing the packages of {lock}")
    stamp.unlink(missing_ok=True)
    _install(venv, lock, installer)
    stamp.write_text(f"{wanted}\n")


def _fits(venv: Path, installer: str) -> bool:
    """Say whether its Python runs, is the one asked for, and something can install into it."""
    minor, _ = _ask_version(venv, installer)
    is_wanted = not os.environ.get("PYTHON") or minor == _own_minor()
    return bool(minor) and is_wanted and not _was_moved(venv)


def _ask_version(venv: Path, installer: str) -> tuple[str, str]:
    """Return the version of a venv's Python, such as 3.13 and 3.13.1, if the locks support it."""
    command = [str(find_python(venv)), "-I", "-c", _SAY_VERSION, installer]
    try:
        minor, version = subprocess.check_output(
            command, text=True, stderr=subprocess.DEVNULL
        ).split()
    except (OSError, subprocess.CalledProcessError, ValueError):
        return "", ""
    return minor, version


def _own_minor() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _was_moved(venv: Path) -> bool:
    """Say whether a venv was made elsewhere: its programs name its Python by the full path."""
    settings = venv / "pyvenv.cfg"
    text = settings.read_text("utf-8", errors="replace") if settings.is_file() else ""
    made = re.search(r"^command = (.*)$", text, re.MULTILINE)
    here = tuple(f" {path}".casefold() for path in (venv.absolute(), venv.resolve()))
    return made is not None and not made[1].rstrip().casefold().endswith(here)


def _make(venv: Path, installer: str) -> None:
    print(f"Making {venv} with Python {_own_minor()}")
    if installer == "pip" and not (find_spec("venv") and find_spec("ensurepip")):
        advice = f"On Debian and Ubuntu: sudo apt install python{_own_minor()}-venv"
        if _IN_WINDOWS:
            advice = "Install Python with its installer (https://www.python.org/downloads/)"
        raise LabFailure(
            f"{sys.executable} has no venv module, so it can't keep the packages apart. {advice}"
        )
    try:
        if venv.is_symlink():  # to the venv of another checkout, which keeps it
            venv.unlink()
        elif venv.exists():
            shutil.rmtree(venv)
    except OSError as error:
        raise LabFailure(f"{error.filename} can't be removed: {error.strerror}.") from error
    command = [sys.executable, "-I", "-m", "venv"]
    if installer == "uv":
        command = ["uv", "venv", "--quiet", "--python", sys.executable]
    if not _run([*command, str(venv)]):
        raise LabFailure(f"{command[0]} could not make {venv}.")
    if installer == "uv":  # Python's own module writes such a line itself
        with (venv / "pyvenv.cfg").open("a", encoding="utf-8") as settings:
            settings.write(f"command = {' '.join(command)} {venv.absolute()}\n")


def _install(venv: Path, lock: Path, installer: str) -> None:
    python, log = str(find_python(venv)), venv / "install.log"
    # A pip.conf may ask for --user, which a venv refuses.
    options = ["--disable-pip-version-check", "--no-user"]
    command = [python, "-I", "-m", "pip", "install", *options]
    if installer == "uv":
        command = ["uv", "pip", "install", "--compile-bytecode", "--python", python]
    progress = Progress(lock.read_text("utf-8"), lambda: set(venv.glob(f"{_PACKAGES}/*.dist-info")))
    with log.open("wb") as output:
        command += ["--requirement", str(lock)]
        if run_with_progress(command, make_environment(), output, progress):
            return
    lines = log.read_text("utf-8", errors="replace").splitlines()
    # pip says at last that there is no such package when it could not ask for any.
    reasons = [line for line in lines if _UNREACHABLE.search(line)]
    print("\n".join(reasons[-1:] or lines[-10:]), file=sys.stderr)
    failure = f"the packages of {lock} could not be installed"
    if reasons:
        raise LabFailure(
            f"{failure}: their index can't be reached. Check the internet connection (and"
            f" HTTPS_PROXY, where there is a proxy), then start again. More is in {log}."
        )
    raise LabFailure(f"{failure}; why stands above, and more in {log}.")


def _run(command: list[str], output: int | None = None) -> bool:
    """Run a program to its end and say whether it ended well, which it can't if it isn't there."""
    try:
        return not subprocess.call(command, env=make_environment(), stdout=output, stderr=output)
    except OSError:
        return False
