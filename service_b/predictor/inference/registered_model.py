"""From a registered version to a model in memory: check everything, and only then unpickle."""

import math
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO

import joblib

from predictor.card import ModelCard, parse_card
from predictor.errors import ModelRefused
from predictor.inference.card_model import CardModel
from predictor.inference.evaluation import choose_evaluation
from predictor.inference.pipelines import Pipelines
from predictor.inference.unusual import Unusual
from predictor.typicality import Typicality, read_arrays
from predictor.version import CARD, Folder

_GOLDEN_TOLERANCE = 1e-6
_CENT = 0.01


def load_registered(name: str, folder: Folder, *, fast_path: bool = True) -> CardModel:
    """Check a version, unpickle it, and compare it with its golden predictions.

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
    contents = [folder.read_checked(each.file, each.sha256, "the card") for each in card.artifacts]
    # Whatever a pickle or an estimator raises, the version can't be served.
    try:
        typicality, unusual = None, None
        if card.typical:
            arrays = read_arrays(contents.pop(), len(card.inputs))
            typicality = Typicality(arrays, card.typical.warn_below)
            unusual = Unusual(card, card.typical, typicality)
        estimators = [joblib.load(BytesIO(content)) for content in contents]
        model = CardModel(card, Pipelines(card, estimators, typicality), unusual)
    except Exception as error:
        raise ModelRefused(f"{folder.path}: can't be loaded: {error!r}") from error
    _check_golden(model, folder.path)
    if fast_path:
        trial = [card.example, *[each.input for each in card.golden]]
        inputs = [model.input_type.model_validate(each) for each in trial]
        model.evaluation = choose_evaluation(card, estimators, inputs, typicality)
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


def _check_golden(model: CardModel, path: str) -> None:
    golden = model.card.golden
    if not golden:
        return
    try:
        inputs = [model.input_type.model_validate(each.input) for each in golden]
        predictions = model.predict(inputs)
    except Exception as error:
        raise ModelRefused(f"{path}: fails on its golden inputs: {error!r}") from error
    for number, (each, found) in enumerate(zip(golden, predictions, strict=True), start=1):
        if not math.isclose(found.price, each.price, rel_tol=_GOLDEN_TOLERANCE, abs_tol=_CENT):
            raise ModelRefused(
                f"{path}: golden prediction {number} is {found.price}, the card says {each.price}"
            )
