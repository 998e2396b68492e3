"""The model repository: the versions that exist in a folder, and the checks before one is used."""

import hashlib
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path

import joblib

from predictor.card import Artifact, ModelCard, read_card
from predictor.errors import ModelRefused, ModelUnavailable
from predictor.model import Model


class ModelRepository:
    """Versions of models in `<folder>/<name>/<version>/`, versions being whole numbers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_latest(self, name: str) -> Path:
        """Return the folder of the highest version.

        Raises:
            ModelUnavailable: there is none.
        """
        versions = [path for path in (self._folder / name).glob("[0-9]*/") if path.name.isdecimal()]
        if not versions:
            raise ModelUnavailable(f"no version of {name} in {self._folder}")
        return max(versions, key=lambda path: int(path.name))

    def load(self, folder: Path) -> Model:
        """Check a version, unpickle it, and try it on the example in its card.

        Unpickling runs code, so nothing is unpickled before its card, its libraries and
        its sha256 are found right, and the bytes that were checked are the bytes loaded.

        Raises:
            ModelRefused: a check failed.
        """
        card = read_card(folder)
        if (card.name, card.version) != (folder.parent.name, folder.name):
            raise ModelRefused(f"{folder}: the card is of {card.name} version {card.version}")
        _check_libraries(card)
        content = _read_artifact(card.artifact, folder)
        spread_artifact = card.interval.artifact if card.interval else None
        spread_content = _read_artifact(spread_artifact, folder) if spread_artifact else None
        # Whatever a pickle or an estimator raises, the version can't be served.
        try:
            spread = joblib.load(BytesIO(spread_content)) if spread_content else None
            model = Model(card, joblib.load(BytesIO(content)), spread)
        except Exception as error:
            raise ModelRefused(f"{folder}: can't be loaded: {error!r}") from error
        try:
            model.predict([model.input_type.model_validate(card.example)])
        except Exception as error:
            raise ModelRefused(f"{folder}: fails on the card's example: {error!r}") from error
        return model


def _check_libraries(card: ModelCard) -> None:
    for library, wanted in card.libraries.items():
        try:
            installed = version(library)
        except PackageNotFoundError:
            installed = "none"
        if installed.split(".")[:2] != wanted.split(".")[:2]:
            raise ModelRefused(
                f"{card.name} version {card.version} was trained with {library} {wanted}, "
                f"installed is {installed}"
            )


def _read_artifact(artifact: Artifact, folder: Path) -> bytes:
    path = folder / artifact.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelRefused(f"{path}: {error.strerror}") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != artifact.sha256:
        raise ModelRefused(f"{path}: sha256 is {sha256}, the card says {artifact.sha256}")
    return content
