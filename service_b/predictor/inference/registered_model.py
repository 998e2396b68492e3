"""From a registered version to a model in memory: check everything, and only then unpickle."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from threading import Lock
from typing import Any

import joblib

from predictor.card import Category, Feature, ModelCard, parse_card
from predictor.errors import ModelRefused
from predictor.inference.card_model import CardModel
from predictor.inference.evaluation import choose_evaluation
from predictor.inference.pipelines import Pipelines
from predictor.inference.unusual import Unusual
from predictor.typicality import Typicality, read_arrays
from predictor.version import CARD, Folder

_GOLDEN_TOLERANCE = 1e-6
_CENT = 0.01
# Python runs one thread at a time: two loads at once take longer than one after the other.
_turn = Lock()
_TURN_SECONDS = 10


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
    with _take_turn():
        return _make_model(card, contents, folder.path, fast_path)


@contextmanager
def _take_turn() -> Iterator[None]:
    """Let one load after the other use the processor; one that hangs holds up others for 10 s."""
    is_taken = _turn.acquire(timeout=_TURN_SECONDS)
    try:
        yield
    finally:
        if is_taken:
            _turn.release()


def _make_model(card: ModelCard, contents: list[bytes], path: str, fast_path: bool) -> CardModel:
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
        raise ModelRefused(f"{path}: can't be loaded: {error!r}") from error
    _check_golden(model, path)
    if fast_path:
        trial = [card.example, *[each.input for each in card.golden]]
        inputs = [model.input_type.model_validate(each) for each in trial]
        model.evaluation = choose_evaluation(card, estimators, inputs, typicality)
    _check_edges(model, path)
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


def _check_edges(model: CardModel, path: str) -> None:
    """Evaluate inputs at the edges of what the card allows, and those with as little as will do."""
    values = model.input_type.model_validate(model.example)
    example = {name: values.__dict__[name] for name in values.__pydantic_fields_set__}
    needed = {each.name: example[each.name] for each in model.card.features if each.required}
    edges = {"its example": example, "the required fields alone": needed}
    for feature in model.card.inputs:
        for value in _list_edges(feature):
            edges[f"{feature.name} {value!r}"] = {**example, feature.name: value}
    _evaluate(model, edges, path)


def _evaluate(model: CardModel, edges: Mapping[str, Mapping[str, Any]], path: str) -> None:
    """Evaluate inputs all at once; only if that fails, one by one, to name the one that fails."""
    try:
        model.evaluation.evaluate(
            [model.input_type.model_validate(each) for each in edges.values()]
        )
    except Exception as error:
        if len(edges) > 1:
            for name, each in edges.items():
                _evaluate(model, {name: each}, path)
        raise ModelRefused(f"{path}: fails on {next(iter(edges))}: {error!r}") from error


def _list_edges(feature: Feature) -> list[Category | float | None]:
    edges: list[Category | float | None] = [*(feature.categories or ())]
    if feature.minimum is not None and feature.maximum is not None:
        whole = feature.kind == "integer"
        edges += (
            [math.ceil(feature.minimum), math.floor(feature.maximum)]
            if whole
            else [feature.minimum, feature.maximum]
        )
    return [*edges, None] if feature.nullable else edges


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
