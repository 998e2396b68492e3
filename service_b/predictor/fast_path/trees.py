"""Boosted trees as scikit-learn has learned them, read into splits and leaves."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from predictor.errors import NoFastPath
from predictor.fast_path.encoding import Matrix

# With these the prediction is the sum of the leaves; others put the sum through a function.
_PLAIN_LOSSES = ("squared_error", "absolute_error", "quantile")


class Split(NamedTuple):
    """Sends a row to the leaves `first` to `last` - 1 if its value is at most `threshold`."""

    column: int
    threshold: float
    unknown_goes_left: bool
    first: int
    last: int


class Tree(NamedTuple):
    """The splits of a tree, and the values of its leaves from left to right."""

    splits: list[Split]
    leaves: list[float]


@dataclass
class Ensemble:
    """Trees that add up; `places` has the number that they take for each code."""

    places: Matrix
    trees: list[Tree] = field(default_factory=list)
    baseline: float = 0.0


def add_boosting(ensemble: Ensemble, boosting: HistGradientBoostingRegressor, share: float) -> None:
    """Add what scikit-learn has learned, all values times `share`.

    Raises:
        NoFastPath: a `Forest` can't evaluate their kind.
    """
    if boosting.loss not in _PLAIN_LOSSES:
        raise NoFastPath(f"boosting has the loss {boosting.loss}")
    ensemble.trees += [_read_tree(each.nodes, share) for (each,) in boosting._predictors]
    ensemble.baseline += share * float(boosting._baseline_prediction.item())


def _read_tree(nodes: npt.NDArray[np.void], share: float) -> Tree:
    if nodes["is_categorical"].any():
        raise NoFastPath("a tree splits by a set of categories")
    is_leaf = nodes["is_leaf"].astype(bool)
    places = np.flatnonzero(~is_leaf)
    splits = nodes[places]
    if (splits["left"] != places + 1).any():
        raise NoFastPath("a tree has its nodes in another order")
    # A node is followed by its left branch, and that by its right one.
    leaves_before = np.cumsum(is_leaf) - is_leaf
    columns = (
        splits["feature_idx"],
        splits["num_threshold"],
        splits["missing_go_to_left"].astype(bool),
        leaves_before[places],
        leaves_before[splits["right"]],
    )
    return Tree(
        [Split(*each) for each in zip(*[column.tolist() for column in columns], strict=True)],
        (share * nodes["value"][is_leaf]).tolist(),
    )
