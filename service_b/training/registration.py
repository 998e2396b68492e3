"""Versions on disk: `<models>/<name>/<version>/` with `model.joblib` and `card.json`."""

import errno
import hashlib
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import joblib

from predictor import card
from predictor.card import Artifact, ModelCard
from training.errors import TrainingError

ARTIFACT = "model.joblib"


def register(estimator: object, contents: dict[str, Any], models: Path) -> Path:
    """Write the next version, whole or not at all, and return its folder.

    `contents` is the card without version and artifact. An existing version is never touched.

    Raises:
        TrainingError: it can't be written.
    """
    family = models.joinpath(contents["name"])
    # Beside the versions, so that one rename makes it visible; readers look at numbers only.
    unfinished = family / f".unfinished-{uuid4().hex}"
    try:
        unfinished.mkdir(parents=True)
        joblib.dump(estimator, unfinished / ARTIFACT, compress=("zlib", 9))
        sha256 = hashlib.sha256((unfinished / ARTIFACT).read_bytes()).hexdigest()
        artifact = Artifact(file=ARTIFACT, sha256=sha256)
        while True:
            version = next_version(family)
            described = ModelCard(**contents, version=str(version), artifact=artifact)
            # Without defaults: a card says what training knows, and no more.
            text = described.model_dump_json(indent=2, exclude_unset=True) + "\n"
            (unfinished / card.FILE_NAME).write_text(text, encoding="utf-8")
            folder = family / str(version)
            try:
                unfinished.rename(folder)
            except OSError as error:
                # Another training took this number meanwhile; a full folder is never replaced.
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
            else:
                return folder
    except OSError as error:
        reason = error.strerror or error
        raise TrainingError(f"cannot write a version under {family}: {reason}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def next_version(family: Path) -> int:
    """One more than the highest version that there is; 1 if there is none."""
    versions = (int(each.name) for each in family.iterdir() if each.name.isdecimal())
    return max(versions, default=0) + 1
