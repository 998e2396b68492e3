"""Making a version again from its card, to see that it comes out the same."""

import hashlib
import platform
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from predictor.card import Artifact, ModelCard
from predictor.typicality import read_arrays
from training.dataset import Dataset, read_dataset
from training.errors import TrainingError
from training.estimator import Prices
from training.evaluation import Data, Trained, train
from training.features import complete_features, read_descriptions
from training.hidden_fields import keep_required
from training.interval import Spread
from training.labelled import read_labelled
from training.parameters import Parameters
from training.parts import join_rows, part_rows
from training.preparation import prepare
from training.provenance import describe_libraries, read_code_revision
from training.recipe import Recipe

_TOLERANCE = 1e-9


def reproduce(recipe: Recipe, card: ModelCard, folder: Path, data: Path | None, cache: Path) -> str:
    """Train from the card alone and compare with the version in `folder` on every row.

    Raises:
        TrainingError: the data can't be had, a file isn't the one that the card names, or a
            prediction differs by more than 1e-9 of it.
    """
    registered, *spread = [_load(folder, artifact) for artifact in card.pickles]
    made = card.training
    for difference in _compare_conditions(card):
        print(f"note: {difference}")
    dataset = Dataset(made.data_file, made.data_url, made.data_sha256)
    descriptions = read_descriptions(recipe.features_file)
    raw = read_dataset(dataset, data, cache)
    prepared = prepare(raw, recipe.separator, descriptions, recipe.target.column, recipe.repairs)
    features = complete_features(descriptions, prepared.frame)
    inputs = tuple(each for each in features if each.kind != "identifier")
    original = Data(inputs, prepared.inputs, prepared.target)
    labelled, price_level = None, 1.0
    if made.labelled:
        kept = _read_checked(folder, made.labelled.artifact)
        labelled = read_labelled(kept, card.name, features, original.inputs, original.prices)
        price_level = made.labelled.price_level
    parts = part_rows(len(original.prices), labelled, keep_hold_out=made.kept_rows is not None)
    rows = join_rows(original, labelled, price_level).take(parts.version)
    again = train(recipe, rows, made.seed, Parameters.from_json(made.parameters))

    differences = {"price": _differ(registered.predict(rows.inputs), again.predict(rows.inputs))}
    if card.interval and spread:
        rarity = again.rarity
        if card.typical and rarity:
            content = _read_checked(folder, card.typical.artifact)
            arrays = read_arrays(content, len(card.inputs))
            rarity = replace(rarity, arrays=arrays, widening=card.typical.widening)
        measured = Spread(spread[0], card.interval.log_scale or 0, card.interval.bands)
        differences["width"] = max(
            _differ(
                Trained(registered, measured, rarity).measure_half_width(each),
                again.measure_half_width(each),
            )
            for each in (rows.inputs, keep_required(inputs, rows.inputs))
        )
    largest = ", ".join(f"{name} {difference:.1e}" for name, difference in differences.items())
    summary = f"{card.name} version {card.version}, largest relative difference over " + (
        f"{len(rows.prices):,} rows: {largest}"
    )
    if max(differences.values()) > _TOLERANCE:
        raise TrainingError(f"{summary}; more than {_TOLERANCE:.0e}: not the same model")
    return f"{summary}; at most {_TOLERANCE:.0e}: reproduced"


def _compare_conditions(card: ModelCard) -> Iterator[str]:
    """Say in which of the card's conditions this place differs, and what can't be compared."""
    here = describe_libraries()
    for name, version in card.libraries.items():
        if here.get(name) != version:
            yield f"made with {name} {version}, here is {here.get(name)}"
    made, python = card.training, platform.python_version()
    if made.python is None:
        yield f"the card doesn't say with which Python it was made, here is {python}"
    elif made.python != python:
        yield f"made with Python {made.python}, here is {python}"
    if made.code_revision != read_code_revision():
        yield f"made by code {made.code_revision}, here is {read_code_revision()}"


def _load(folder: Path, artifact: Artifact) -> Any:
    """Unpickle what the card names, and nothing else."""
    return joblib.load(BytesIO(_read_checked(folder, artifact)))


def _read_checked(folder: Path, artifact: Artifact) -> bytes:
    path = folder / artifact.file
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise TrainingError(f"{path}: its sha256 is not the one that the card names")
    return content


def _differ(first: Prices, second: Prices) -> float:
    return float(np.max(np.abs(first - second) / np.abs(first)))
