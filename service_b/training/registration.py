"""Versions on disk: `<models>/<name>/<version>/` with its estimators, card and report."""

import errno
import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import joblib

from predictor.card import Artifact, ModelCard, Typical, read_card
from predictor.errors import ModelRefused
from predictor.typicality import write_arrays
from predictor.version import CARD
from training import alias
from training.errors import TrainingError
from training.estimator import locate_distances
from training.evaluation import Trained
from training.interval import COVERAGE
from training.rarity import WARN_BELOW, Rarity

ESTIMATOR = "model.joblib"
SPREAD = "spread.joblib"
TYPICALITY = "typical.npz"
REPORT = "report.md"


def register(
    trained: Trained, contents: dict[str, Any], files: Iterable[Path], models: Path
) -> Path:
    """Write the next version, whole or not at all, and return its folder.

    `contents` is the card without version, artifact and interval; `files` are copied beside it, the
    report among them. An existing version is never touched. The first version of a model is the one
    that is served, the others are when promoted.

    Raises:
        TrainingError: it can't be written.
    """
    family = models.joinpath(contents["name"])
    # Beside the versions, so that one rename makes it visible; readers look at numbers only.
    unfinished = family / f".unfinished-{uuid4().hex}"
    try:
        unfinished.mkdir(parents=True)
        contents = contents | {
            "artifact": _write(trained.estimator, unfinished, ESTIMATOR),
            "interval": {
                "coverage": COVERAGE,
                "log_scale": trained.spread.log_scale,
                "bands": trained.spread.bands,
                "artifact": _write(trained.spread.estimator, unfinished, SPREAD),
            },
        }
        if trained.rarity is not None:
            typical = _write_rarity(trained.rarity, trained.estimator, unfinished)
            contents |= {"typical": typical}
        for file in files:
            shutil.copyfile(file, unfinished / file.name)
        folder = _take_number(unfinished, family, contents)
    except OSError as error:
        reason = error.strerror or error
        raise TrainingError(f"cannot write a version under {family}: {reason}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _serve_first(family, folder.name)
    return folder


def _write_rarity(rarity: Rarity, estimator: Any, folder: Path) -> Typical:
    content = write_arrays(rarity.arrays)
    (folder / TYPICALITY).write_bytes(content)
    columns = locate_distances(estimator) if rarity.points is not None else None
    return Typical(
        artifact=Artifact(file=TYPICALITY, sha256=hashlib.sha256(content).hexdigest()),
        warn_below=WARN_BELOW,
        widening=rarity.widening,
        place=tuple(rarity.recipe.place) if columns else (),
        distances=columns,
    )


def find_registered(contents: dict[str, Any], models: Path) -> Path | None:
    """Give the version whose card holds `contents`; None if there is none."""
    family = models.joinpath(contents["name"])
    for folder in family.glob("[0-9]*"):
        try:
            described = read_card(folder)
        except ModelRefused:
            continue
        if all(getattr(described, name) == value for name, value in contents.items()):
            _serve_first(family, folder.name)
            return folder
    return None


def next_version(family: Path) -> int:
    """Give one more than the highest version that there is; 1 if there is none."""
    versions = (int(each.name) for each in family.iterdir() if each.name.isdecimal())
    return max(versions, default=0) + 1


def _serve_first(family: Path, version: str) -> None:
    if alias.read_alias(family) is None and version == "1":
        alias.choose(family, version, "register")


def _write(estimator: object, folder: Path, file: str) -> Artifact:
    joblib.dump(estimator, folder / file, compress=("zlib", 9))
    return Artifact(file=file, sha256=hashlib.sha256((folder / file).read_bytes()).hexdigest())


def _take_number(unfinished: Path, family: Path, contents: dict[str, Any]) -> Path:
    while True:
        version = next_version(family)
        described = ModelCard(**contents, version=str(version))
        text = described.model_dump_json(indent=2, exclude_none=True) + "\n"
        (unfinished / CARD).write_text(text, encoding="utf-8")
        folder = family / str(version)
        try:
            unfinished.rename(folder)
        except OSError as error:
            # Another training took this number meanwhile; a full folder is never replaced.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        else:
            return folder
