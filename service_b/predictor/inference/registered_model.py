"""From a registered version to a model in memory: check everything, and only then unpickle."""

import hashlib
import math
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from typing import Any

import joblib

from predictor.card import Artifact, ModelCard, parse_card
from predictor.errors import ModelRefused
from predictor.inference.card_model import Model
from predictor.version import CARD, Folder

_GOLDEN_TOLERANCE = 1e-6
_CENT = 0.01


def load_registered(name: str, folder: Folder) -> Model:
    """Check a version, unpickle it, and hold it to its golden predictions.

    Unpickling runs code, so nothing is unpickled before its card, its libraries and
    its sha256 are found right, and the bytes that were checked are the bytes loaded.

    Raises:
        ModelRefused: a check failed.
        SourceUnavailable: the files can't be read now.
    """
    card = parse_card(folder.read(CARD), f"{folder.path}/{CARD}")
    if card.name != name or folder.number not in (None, card.version):
        raise ModelRefused(f"{folder.path}: the card is of {card.name} version {card.version}")
    _check_libraries(card)
    content = _read_checked(folder, card.artifact)
    spread_artifact = card.interval.artifact if card.interval else None
    spread_content = _read_checked(folder, spread_artifact) if spread_artifact else None
    # Whatever a pickle or an estimator raises, the version can't be served.
    try:
        spread = joblib.load(BytesIO(spread_content)) if spread_content else None
        model = Model(card, joblib.load(BytesIO(content)), spread)
    except Exception as error:
        raise ModelRefused(f"{folder.path}: can't be loaded: {error!r}") from error
    _check_golden(model, folder.path)
    trial = [card.example, *[each.input for each in card.golden]]
    model.speed_up([model.input_type.model_validate(each) for each in trial])
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


def _read_checked(folder: Folder, artifact: Artifact) -> bytes:
    content = folder.read(artifact.file)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != artifact.sha256:
        raise ModelRefused(
            f"{folder.path}/{artifact.file}: sha256 is {sha256}, the card says {artifact.sha256}"
        )
    return content


def _check_golden(model: Model, path: str) -> None:
    golden = model.card.golden
    if not golden:
        return
    try:
        prices = _predict(model, [each.input for each in golden])
    except Exception as error:
        raise ModelRefused(f"{path}: fails on its golden inputs: {error!r}") from error
    for number, (each, price) in enumerate(zip(golden, prices, strict=True), start=1):
        if not math.isclose(price, each.price, rel_tol=_GOLDEN_TOLERANCE, abs_tol=_CENT):
            raise ModelRefused(
                f"{path}: golden prediction {number} is {price}, the card says {each.price}"
            )


def _predict(model: Model, inputs: list[dict[str, Any]]) -> list[float]:
    values = [model.input_type.model_validate(each) for each in inputs]
    return [prediction.price for prediction in model.predict(values)]
