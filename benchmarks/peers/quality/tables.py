"""The data of both models as the pipeline prepares it, and how much of it is known in a case."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from training.commands import RECIPES, SERVICE_FOLDER
from training.dataset import read_dataset
from training.errors import TrainingError
from training.evaluation import Data, Rows, split_rows
from training.features import complete_features, read_descriptions
from training.preparation import prepare
from training.recipe import Recipe


@dataclass(frozen=True)
class Table:
    """The rows of one model's data: as the lab takes them, and as a frame for the peers.

    Both have the same columns. A category is of pandas' type `category` in the frame.
    """

    recipe: Recipe
    data: Data
    frame: pd.DataFrame

    def split(self, seed: int) -> tuple[Rows, Rows]:
        """Give the rows to train on and those held out, a fifth."""
        return split_rows(len(self.frame), seed)


@dataclass(frozen=True)
class Case:
    """A table, and which columns of it are known.

    `effort` is about how long trees take on it, compared with all fields of `ames`.
    """

    name: str
    table: Table
    columns: list[str]
    effort: float


def list_cases(files: list[Path]) -> list[Case]:
    """Give both models with all fields, and `ames` with no more than a caller must send.

    Raises:
        TrainingError: the data can't be had, or a file isn't what a model is trained on.
    """
    given = {file.name: file for file in files}
    unknown = given.keys() - {recipe.dataset.file_name for recipe in RECIPES.values()}
    if unknown:
        raise TrainingError(f"no model is trained on {', '.join(sorted(unknown))}")
    ames, california = (read_table(RECIPES[name], given) for name in ("ames", "california"))
    required = [each.name for each in ames.data.features if each.required]
    return [
        Case("ames, all fields", ames, list(ames.frame), 1.0),
        Case("ames, required fields only", ames, required, 0.05),
        Case("california, all fields", california, list(california.frame), 0.5),
    ]


def read_table(recipe: Recipe, files: Mapping[str, Path]) -> Table:
    """Take the data from a file if given, else from the pipeline's cache or the internet."""
    dataset, cache = recipe.dataset, SERVICE_FOLDER / ".training"
    raw = read_dataset(dataset, files.get(dataset.file_name), cache)
    descriptions = read_descriptions(recipe.features_file)
    prepared = prepare(raw, recipe.separator, descriptions, recipe.target.column, recipe.repairs)
    features = [
        each
        for each in complete_features(descriptions, prepared.frame)
        if each.kind != "identifier"
    ]
    types = {
        each.name: pd.CategoricalDtype(each.categories) for each in features if each.categories
    }
    data = Data(features, prepared.inputs, prepared.target)
    return Table(recipe, data, prepared.frame.astype(types))
