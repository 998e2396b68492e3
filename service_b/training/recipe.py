"""What is special to one model: its data, its words, its features, what is tried for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from predictor.card import Relation, Target
from training.dataset import Dataset
from training.parameters import Parameters
from training.preparation import Repair


@dataclass(frozen=True)
class Slice:
    """A way to part the rows: by a feature's value, or by its place between `edges`."""

    title: str
    feature: str
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Range:
    """Where the tuning looks for a parameter; whole numbers if both ends are."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Kernel:
    """What two rows say about each other by the required fields: see `GaussianProcess`.

    `scales` has the length for each field that is a number.
    """

    scales: Mapping[str, float]
    place: float
    local: float
    shrink: float
    noise: float


@dataclass(frozen=True)
class Recipe:
    """A model to train. Columns are called by their features' names.

    `sums` holds {feature: weight} per new column; `spaces` the same for each way to measure which
    rows are near, and `neighbours` how many of them are averaged. `place` holds the weights of the
    coordinates, where there are any: clusters are made in them. `rises` holds the features with
    which people expect the price to rise, each with its values, least first: of a category, all but
    the one for none. `places` holds what names a place, {feature: size of its steps, 0 for its
    values}, and `later` a feature and its value from which on rows are later than the others: with
    them the limits of the model are measured. Of the `relations` the card gets those that the rows
    confirm. The first of `candidates` that scores best is tuned within `search`; a name like
    `weights.linear` is a member's weight. The candidates with a `reduced_share` need a `kernel`.
    """

    name: str
    title: str
    description: str
    target: Target
    dataset: Dataset
    separator: str
    features_file: Path
    example_row: int
    candidates: Mapping[str, Parameters]
    search: Mapping[str, Range]
    price_edges: tuple[float, ...]
    slices: tuple[Slice, ...]
    repairs: tuple[Repair, ...] = ()
    sums: tuple[Mapping[str, float], ...] = ()
    products: tuple[tuple[str, str], ...] = ()
    ratios: tuple[tuple[str, str], ...] = ()
    spaces: tuple[Mapping[str, float], ...] = ()
    neighbours: tuple[int, ...] = ()
    place: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, float] = field(default_factory=dict)
    later: tuple[str, float] | None = None
    rises: Mapping[str, tuple[str, ...] | tuple[float, ...]] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    kernel: Kernel | None = None
