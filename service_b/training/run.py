"""One call of the pipeline: what to train, how, and the rows that its steps have made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from pydantic import TypeAdapter

from predictor.card import Feature, Relation
from training.evaluation import Data
from training.features import complete_features, read_descriptions
from training.labelled import Labelled
from training.parts import join_rows
from training.preparation import Prepared
from training.recipe import Recipe
from training.workspace import Workspace

# The file in which `evaluate` leaves what it has trained.
TRAINED = "trained.joblib"
# The file in which `relate` leaves the recipe's relations, with the rows that confirm each.
RELATIONS = "relations.json"
_RELATIONS = TypeAdapter(tuple[Relation, ...])


@dataclass(frozen=True)
class Options:
    """What the user may choose.

    `labelled` is what was kept of the log's export. `parameters`, as a card has them, are taken
    instead of a search.
    """

    data: Path | None
    models: Path
    seed: int
    trials: int
    splits: int
    mlflow: str | None
    labelled: bytes | None = None
    keep_hold_out: bool = False
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Run:
    """What to train, how, and where artifacts are."""

    recipe: Recipe
    options: Options
    workspace: Workspace

    @cached_property
    def prepared(self) -> tuple[Prepared, tuple[Feature, ...]]:
        """The prepared rows and all features, also those that don't reach the estimator."""
        prepared: Prepared = joblib.load(self.workspace.locate("prepare", "rows.joblib"))
        descriptions = read_descriptions(self.recipe.features_file)
        return prepared, complete_features(descriptions, prepared.frame)

    @cached_property
    def labelled(self) -> Labelled | None:
        """The rows from the log, None without."""
        labelled: Labelled | None = joblib.load(self.workspace.locate("prepare", "labelled.joblib"))
        return labelled

    @property
    def data(self) -> Data:
        """The rows of the data, at the prices of their time."""
        prepared, features = self.prepared
        inputs = tuple(each for each in features if each.kind != "identifier")
        return Data(inputs, prepared.inputs, prepared.target)

    @property
    def price_level(self) -> float:
        """What the prices of the data are multiplied by."""
        level: float = self.read_json("split", "rows.json")["price_level"]
        return level

    def take(self, part: str) -> Data:
        """Give the rows of a part of the split, at the prices of today.

        The parts are those of `parts.Parts`; `all` are those to train on and to judge by.
        """
        rows = join_rows(self.data, self.labelled, self.price_level)
        return rows.take(np.array(self.read_json("split", "rows.json")[part]))

    @property
    def relations(self) -> tuple[Relation, ...]:
        """The recipe's relations, with the rows that confirm each."""
        return _RELATIONS.validate_python(self.read_json("relate", RELATIONS))

    def read_json(self, step: str, file: str) -> Any:
        return json.loads(self.workspace.locate(step, file).read_bytes())
