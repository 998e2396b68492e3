"""What is special to one model: its data, its target, its words."""

from dataclasses import dataclass
from pathlib import Path

from predictor.card import Target
from training.dataset import Dataset
from training.estimator import Parameters
from training.preparation import Repair


@dataclass(frozen=True)
class Recipe:
    """Everything that training needs to be told about a model.

    `example_row` is the row, counted from 0, that the card shows as an example of a request.
    """

    name: str
    title: str
    description: str
    target: Target
    dataset: Dataset
    features_file: Path
    repairs: tuple[Repair, ...]
    parameters: Parameters
    example_row: int
