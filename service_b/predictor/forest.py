"""Boosted trees evaluated without walking them.

For every tree there is a word with a bit for each leaf, the leftmost the lowest. A split that
sends a row to the right rules out the leaves on its left; of those that no split rules out, the
lowest is where the row ends (Lucchese et al. 2015, "QuickScorer"). What a column rules out depends
only on where its value lies among the thresholds of that column. So a table holds the words of all
trees for each such place, and a row is predicted by an AND over one line of the table per column.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from predictor.codes import Matrix
from predictor.errors import NoFastPath

Columns = npt.NDArray[np.intp]
Lines = npt.NDArray[np.intp]

# So many rows at once stay in the processor's cache.
_ROWS_AT_ONCE = 128
# From so many rows on a search in each column is faster than one in all of them.
_MANY_ROWS = 16
_MAX_TABLE_BYTES = 32 * 2**20
# Those whose predictions are the sums of the leaves; others take the sum to a power.
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


class Forest:
    """One or more ensembles on the columns of the same matrix.

    Columns hold numbers, NaN if unknown, or codes; `code_columns` has the column of each code.

    Raises:
        NoFastPath: there are no trees, or they have too many leaves or thresholds.
    """

    def __init__(self, ensembles: Sequence[Ensemble], code_columns: Columns) -> None:
        trees = [tree for each in ensembles for tree in each.trees]
        thresholds = _collect_thresholds(trees)
        if not thresholds or not all(each.trees for each in ensembles):
            raise NoFastPath("there are no trees that split")
        coded = set(code_columns.tolist())
        self._coded = np.array([each for each in thresholds if each in coded], dtype=np.intp)
        self._numbers = np.array([each for each in thresholds if each not in coded], dtype=np.intp)
        self._thresholds = [thresholds[column] for column in self._numbers.tolist()]
        # The lines of the table: one for each code; then for each column of numbers one for what
        # lies up to each threshold, for what lies above, and for unknown.
        columns = [code_columns]
        values = []
        for column, each in zip(self._numbers, self._thresholds, strict=True):
            columns.append(np.full(len(each) + 2, column))
            values += [*each, math.inf, math.nan]
        ends = np.cumsum([len(each) for each in columns])
        self._first, self._unknown = ends[:-1], ends[1:] - 1
        most = max(len(tree.leaves) for tree in trees)
        word = _choose_word(most)
        if ends[-1] * len(trees) * word().itemsize > _MAX_TABLE_BYTES:
            raise NoFastPath("the trees have too many thresholds")
        self._table = np.concatenate(
            [
                _fill_table(each.trees, np.concatenate(columns), [*each.places, *values], word)
                for each in ensembles
            ],
            axis=1,
        )
        # What follows has shape (1, …): for a single row numpy then has nothing to broadcast.
        # All thresholds in one ascending array of complex numbers: column, threshold.
        self._ordered = np.array(
            [complex(number, each) for number, some in enumerate(self._thresholds) for each in some]
        )
        before = np.cumsum([0, *[len(each) for each in self._thresholds]])[:-1]
        self._shift = (self._first - before)[None]
        self._positions = np.arange(len(self._numbers))
        self._leaves = np.zeros((len(trees), most))
        for number, tree in enumerate(trees):
            self._leaves[number, : len(tree.leaves)] = tree.leaves
        self._leaf_of_tree = most * np.arange(len(trees))[None]
        self._starts = np.cumsum([0, *[len(each.trees) for each in ensembles]])[:-1]
        self._baselines = np.array([[each.baseline for each in ensembles]])

    def predict(self, matrix: Matrix) -> Matrix:
        """Give for each row the sum of each ensemble."""
        lines = self._find_lines(matrix)
        if len(matrix) < _MANY_ROWS:
            words = np.bitwise_and.reduce(self._table.take(lines, axis=0), axis=1)
            return self._sum_leaves(words)
        return np.concatenate(
            [
                self._sum_leaves(self._rule_out(lines[start : start + _ROWS_AT_ONCE]))
                for start in range(0, len(lines), _ROWS_AT_ONCE)
            ]
        )

    def _find_lines(self, matrix: Matrix) -> Lines:
        """Give the line of the table for each value that a tree looks at."""
        codes = matrix.take(self._coded, axis=1).astype(np.intp)
        numbers = matrix.take(self._numbers, axis=1)
        if len(matrix) < _MANY_ROWS:
            # One search in all columns: complex numbers are ordered by their real part first.
            values = np.empty(numbers.shape, dtype=np.complex128)
            values.real = self._positions
            values.imag = numbers
            lines = self._ordered.searchsorted(values) + self._shift
        else:
            lines = np.empty(numbers.shape, dtype=np.intp)
            for column, thresholds in enumerate(self._thresholds):
                lines[:, column] = thresholds.searchsorted(numbers[:, column])
            lines += self._first
        np.copyto(lines, self._unknown, where=np.isnan(numbers))
        return np.concatenate([codes, lines], axis=1)

    def _rule_out(self, lines: Lines) -> npt.NDArray[np.unsignedinteger]:
        """Give the leaves of each tree that are left; the same as above with less memory."""
        left = self._table.take(lines[:, 0], axis=0)
        line = np.empty_like(left)
        for column in lines.T[1:]:
            # `clip` is never needed; without it numpy would copy the lines once more.
            self._table.take(column, axis=0, out=line, mode="clip")
            np.bitwise_and(left, line, out=left)
        return left

    def _sum_leaves(self, left: npt.NDArray[np.unsignedinteger]) -> Matrix:
        lowest = np.bitwise_count(~left & (left - 1))
        values = self._leaves.take(lowest + self._leaf_of_tree)
        sums: Matrix = np.add.reduceat(values, self._starts, axis=1) + self._baselines
        return sums


def _choose_word(leaves: int) -> type[np.unsignedinteger]:
    for word in (np.uint8, np.uint16, np.uint32, np.uint64):
        if leaves <= np.iinfo(word).bits:
            return word
    raise NoFastPath(f"a tree has {leaves} leaves")


def _collect_thresholds(trees: Sequence[Tree]) -> dict[int, Matrix]:
    """Give the different thresholds of each column that is looked at."""
    thresholds: dict[int, set[float]] = {}
    for tree in trees:
        for split in tree.splits:
            thresholds.setdefault(split.column, set()).add(split.threshold)
    return {column: np.array(sorted(each)) for column, each in sorted(thresholds.items())}


def _fill_table(
    trees: Sequence[Tree],
    columns: Columns,
    values: Sequence[float],
    word: type[np.unsignedinteger],
) -> npt.NDArray[np.unsignedinteger]:
    """Give the words for lines that stand for one value of one column each."""
    full = int(np.iinfo(word).max)
    table = np.full((len(values), len(trees)), full, dtype=word)
    lines = {column: np.flatnonzero(columns == column) for column in set(columns.tolist())}
    given = np.array(values)
    for number, tree in enumerate(trees):
        for split in tree.splits:
            own = lines[split.column]
            right = given[own] > split.threshold
            if not split.unknown_goes_left:
                right |= np.isnan(given[own])
            table[own[right], number] &= word(full - (1 << split.last) + (1 << split.first))
    return table


def add_boosting(ensemble: Ensemble, boosting: HistGradientBoostingRegressor, share: float) -> None:
    """Add what scikit-learn has learned, all values times `share`.

    Raises:
        NoFastPath: they are of a kind that a `Forest` doesn't know.
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
