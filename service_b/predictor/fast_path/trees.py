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
    tree = Tree([], [])
    is_leaf, values = nodes["is_leaf"].tolist(), (share * nodes["value"]).tolist()
    lefts, rights = nodes["left"].tolist(), nodes["right"].tolist()
    columns, thresholds = nodes["feature_idx"].tolist(), nodes["num_threshold"].tolist()
    unknown_goes_left = nodes["missing_go_to_left"].astype(bool).tolist()

    def walk(node: int) -> None:
        if is_leaf[node]:
            tree.leaves.append(values[node])
            return
        first = len(tree.leaves)
        walk(lefts[node])
        last = len(tree.leaves)
        walk(rights[node])
        tree.splits.append(
            Split(columns[node], thresholds[node], unknown_goes_left[node], first, last)
        )

    walk(0)
    return tree
