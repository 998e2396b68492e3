"""Everything that may be chosen about an estimator. A card records it, so it can be made again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self


@dataclass(frozen=True)
class Parameters:
    """What to build, and from what rows.

    `weights` names the members and how much each one's prediction of the log price counts:
    `boosting` learns the mean, `median_boosting` the median, `forest` is a random forest and
    `linear` a ridge regression.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: {"boosting": 1.0})
    whole_copies: int = 1
    partial_copies: int = 0
    # Copies of which only the required fields are known.
    required_copies: int = 0
    # How trees meet an unknown field: `native` learns the better side of each split.
    imputation: Literal["native", "median", "median_flagged"] = "native"
    derived: bool = True
    nearby: bool = False
    clusters: bool = False
    # Whether the recipe's `rises` hold: see `estimator.py`.
    rising: bool = False
    # So many of each member with trees are averaged, each with its own seed.
    seeds: int = 1
    trees: int = 300
    learning_rate: float = 0.1
    leaves_per_tree: int = 16
    rows_per_leaf: int = 20
    features_per_split: float = 0.3
    penalty: float = 0.0
    linear_gated: bool = True
    linear_penalty: float = 10.0
    # How much the recipe's `kernel` counts where nothing but the required fields is known.
    reduced_share: float = 0.0
    spread_trees: int = 80
    spread_leaves_per_tree: int = 8
    # Whether the interval has a factor for each band of how many fields are known.
    spread_bands: bool = False
    # Whether the version says how unusual an input is, and widens the interval for that.
    typical: bool = False

    def to_json(self) -> dict[str, Any]:
        """Give all fields as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Take the fields from an object that may hold more.

        What it lacks did not exist when it was written: the default means the same.
        """
        return cls(**{each.name: values[each.name] for each in fields(cls) if each.name in values})
