"""Where a version comes from: the revision of the code, the Python and the libraries."""

import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

# What the pickled estimator is made of: it is loaded with exactly these.
LIBRARIES = ("scikit-learn", "numpy", "scipy", "joblib")
CODE = Path(__file__).resolve().parent
ESTIMATORS = CODE.parent / "predictor" / "estimators.py"


def describe_libraries() -> dict[str, str]:
    """Give the exact version of each library that the artifact depends on."""
    return {name: version(name) for name in LIBRARIES}


def read_python_version() -> str:
    """Give the version of the Python that runs this, such as 3.13.1."""
    return platform.python_version()


def read_code_revision() -> str:
    """Give the commit, `-dirty` if the training code differs from it; `unknown` without git."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    try:
        revision = _run(git, "rev-parse", "HEAD")
        changes = _run(git, "status", "--porcelain", "--", str(CODE), str(ESTIMATORS))
    except subprocess.CalledProcessError:
        return "unknown"
    return f"{revision}-dirty" if changes else revision


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=CODE, check=True, capture_output=True)  # noqa: S603
    return done.stdout.decode(errors="replace").strip()
