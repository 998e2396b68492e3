"""Where a version comes from: its rows, the revision of the code, the Python, the libraries."""

import hashlib
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from predictor.card import Artifact, LabelledRows, Training
from training.evaluation import HOLD_OUT_SHARE, SPLIT_SEED, split_rows
from training.interval import FOLDS
from training.labelled import KEPT
from training.parameters import Parameters
from training.run import Run

# What the pickled estimator is made of: it is loaded with exactly these.
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "joblib")
CODE = Path(__file__).resolve().parent
ESTIMATORS = CODE.parent / "predictor" / "estimators.py"


def describe_libraries() -> dict[str, str]:
    """Give the exact version of each library that the artifact depends on."""
    return {name: version(name) for name in _LIBRARIES}


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


def write_description(description: str, training: Training) -> str:
    """Say of a version from which other rows it was made than the recipe's words say."""
    if training.kept_rows:
        description += f" This version has not seen {training.kept_rows:,} of them."
    if training.labelled:
        description += f" It has also learnt from {training.labelled.rows:,} later sales."
    return description


def describe_training(run: Run, parameters: Parameters) -> Training:
    """Say what is needed to make the version of a run again."""
    dataset = run.recipe.dataset
    rows = run.read_json("split", "rows.json")
    kept = len(split_rows(len(run.data.prices))[1]) if run.options.keep_hold_out else None
    tuned = run.read_json("tune", "parameters.json")
    return Training(
        data_file=dataset.file_name,
        data_url=dataset.url,
        data_sha256=dataset.sha256,
        rows=len(rows["version"]),
        seed=run.options.seed,
        parameters=parameters.to_json()
        | {name: tuned[name] for name in ("parameters_of",) if name in tuned}
        | {
            "interval_folds": FOLDS,
            "split_seed": SPLIT_SEED,
            "hold_out_share": HOLD_OUT_SHARE,
        },
        code_revision=read_code_revision(),
        trained_at=datetime.now(UTC).replace(microsecond=0),
        python=platform.python_version(),
        study=tuned["study"],
        best_trial=tuned["best_trial"],
        kept_rows=kept,
        labelled=_describe_labelled(run, len(rows["hold_out"])),
    )


def _describe_labelled(run: Run, held_out: int) -> LabelledRows | None:
    labelled = run.labelled
    if labelled is None:
        return None
    content = run.workspace.locate("download", KEPT).read_bytes()
    return LabelledRows(
        artifact=Artifact(file=KEPT, sha256=hashlib.sha256(content).hexdigest()),
        rows=len(labelled.prices) - held_out,
        received_from=labelled.received_at[0],
        held_out_from=labelled.held_out_from,
        held_out_rows=held_out,
        received_until=labelled.received_at[-1],
        repeated=labelled.repeated,
        replaced=len(labelled.replaced),
        price_level=run.price_level,
    )


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=CODE, check=True, capture_output=True)  # noqa: S603
    return done.stdout.decode(errors="replace").strip()
