"""Boosted trees evaluated without walking them.

Every tree has a word with a bit for each leaf; the leftmost leaf has the lowest bit. A split that
sends a row to the right rules out the leaves on its left. The row ends in the lowest leaf that no
split rules out (Lucchese et al. 2015, "QuickScorer"). What a column rules out depends only on where
its value lies among the thresholds of that column. So a table holds the words of all trees for each
such place, and a row is predicted by an AND over one line of the table per column. The AND takes
most of the time, so columns with few places are joined: they have a line for each combination of
their places.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from predictor.errors import NoFastPath
from predictor.fast_path.encoding import Matrix

Columns = npt.NDArray[np.intp]
Lines = npt.NDArray[np.intp]
Words = npt.NDArray[np.unsignedinteger]

# So many rows fit into the processor's cache.
_ROWS_AT_ONCE = 128
# From this many rows on, a search in each column is faster than one search in all of them.
_MANY_ROWS = 32
_MAX_TABLE_BYTES = 32 * 2**20
# Columns are joined as long as their places have no more combinations than this.
_MAX_JOINED_PLACES = 128
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


# The number of a tree, the places that it takes for codes, and one of its splits.
PlacedSplit = tuple[int, Matrix, Split]


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
        splits = _collect_splits(ensembles)
        if not splits or not all(each.trees for each in ensembles):
            raise NoFastPath("there are no trees that split")
        codes = {column: np.flatnonzero(code_columns == column) for column in splits}
        bounds = {column: _find_bounds(own, codes[column]) for column, own in splits.items()}
        groups = _choose_joined({column: len(each) for column, each in bounds.items()})
        most = max(len(tree.leaves) for tree in trees)
        word = _choose_word(most)
        lines = sum(math.prod(len(bounds[column]) for column in group) for group in groups)
        if lines * len(trees) * word().itemsize > _MAX_TABLE_BYTES:
            raise NoFastPath("the trees have too many thresholds")
        # By column: its number, that of its group, its bounds, and what each of its places adds to
        # the number of the line.
        self._columns: list[tuple[int, int, Matrix, Lines]] = []
        tables = []
        first = 0
        for number, group in enumerate(groups):
            table = np.full((1, len(trees)), np.iinfo(word).max, dtype=word)
            for column in group:
                steps = len(table) * np.arange(len(bounds[column]))
                if column == group[0]:
                    steps += first
                self._columns.append((column, number, bounds[column], steps))
                own = _fill_table(splits[column], codes[column], bounds[column], len(trees), word)
                table = (own[:, None] & table).reshape(-1, len(trees))
            tables.append(table)
            first += len(table)
        self._table = np.concatenate(tables)
        self._groups = np.cumsum([0, *map(len, groups)])[:-1]
        self._places = np.array([each[0] for each in self._columns], dtype=np.intp)
        # All bounds in one ascending array of complex numbers: column, bound.
        self._positions = np.arange(len(self._columns), dtype=np.float64)
        ordered = np.concatenate(
            [
                _to_complex(position, each[2])
                for position, each in zip(self._positions, self._columns, strict=True)
            ]
        )
        order = np.argsort(ordered)
        self._ordered = ordered[order]
        self._steps = np.concatenate([each[3] for each in self._columns])[order]
        self._starts = np.cumsum([0, *[len(each.trees) for each in ensembles]])[:-1]
        self._leaves = np.zeros((len(trees), most))
        for number, tree in enumerate(trees):
            self._leaves[number, : len(tree.leaves)] = tree.leaves
        self._leaves[self._starts] += [[each.baseline] for each in ensembles]
        # Of shape (1, …), so that numpy has nothing to broadcast for a single row.
        self._before_leaves = most * np.arange(len(trees))[None] - 1

    def predict(self, matrix: Matrix) -> Matrix:
        """Give for each row the sum of each ensemble."""
        if len(matrix) < _MANY_ROWS:
            words = np.bitwise_and.reduce(
                self._table.take(self._find_lines(matrix), axis=0), axis=1
            )
            return self._sum_leaves(words)
        lines = self._find_lines_of_many(matrix)
        return np.concatenate(
            [
                self._sum_leaves(self._rule_out(lines[:, start : start + _ROWS_AT_ONCE]))
                for start in range(0, len(matrix), _ROWS_AT_ONCE)
            ]
        )

    def _find_lines(self, matrix: Matrix) -> Lines:
        """Give the lines of the table for each row, by one search in all columns."""
        # Complex numbers are ordered by their real part first.
        values = _to_complex(self._positions, matrix.take(self._places, axis=1))
        steps = self._steps.take(self._ordered.searchsorted(values))
        lines: Lines = np.add.reduceat(steps, self._groups, axis=1)
        return lines

    def _find_lines_of_many(self, matrix: Matrix) -> Lines:
        """Give the same, transposed, by a search in each column."""
        lines = np.zeros((len(self._groups), len(matrix)), dtype=np.intp)
        for column, group, bounds, steps in self._columns:
            lines[group] += steps.take(bounds.searchsorted(matrix[:, column]))
        return lines

    def _rule_out(self, lines: Lines) -> Words:
        """Give the leaves of each tree that are left; for many rows, with little memory."""
        left: Words = self._table.take(lines[0], axis=0)
        line = np.empty_like(left)
        for numbers in lines[1:]:
            # Nothing needs to be clipped, but without `clip` numpy would copy the lines once more.
            self._table.take(numbers, axis=0, out=line, mode="clip")
            np.bitwise_and(left, line, out=left)
        return left

    def _sum_leaves(self, left: Words) -> Matrix:
        # The lowest bit and all below it: as many bits as there are leaves up to that leaf.
        counts = np.bitwise_count(left ^ (left - 1))
        values = self._leaves.take(counts + self._before_leaves)
        sums: Matrix = np.add.reduceat(values, self._starts, axis=1)
        return sums


def _choose_word(leaves: int) -> type[np.unsignedinteger]:
    for word in (np.uint8, np.uint16, np.uint32, np.uint64):
        if leaves <= np.iinfo(word).bits:
            return word
    raise NoFastPath(f"a tree has {leaves} leaves")


def _collect_splits(ensembles: Sequence[Ensemble]) -> dict[int, list[PlacedSplit]]:
    """Give the splits by the column that they look at."""
    splits: dict[int, list[PlacedSplit]] = defaultdict(list)
    trees = [(tree, each.places) for each in ensembles for tree in each.trees]
    for number, (tree, places) in enumerate(trees):
        for split in tree.splits:
            splits[split.column].append((number, places, split))
    return splits


def _find_bounds(splits: Sequence[PlacedSplit], codes: Lines) -> Matrix:
    """Give the upper bound of each place of a column, ascending.

    A column of codes has a place for each code. A column of numbers has one up to each threshold,
    one for all above, and one for unknown.
    """
    if codes.size:
        return codes.astype(np.float64)
    return np.array([*sorted({math.inf, *[each.threshold for *_, each in splits]}), math.nan])


def _choose_joined(places: Mapping[int, int]) -> list[list[int]]:
    """Divide the columns, given with their numbers of places, into groups that are joined."""
    groups: list[list[int]] = []
    for column in sorted(places, key=places.__getitem__, reverse=True):
        for group in groups:
            if math.prod(places[each] for each in (*group, column)) <= _MAX_JOINED_PLACES:
                group.append(column)
                break
        else:
            groups.append([column])
    return groups


def _to_complex(real: float | Matrix, imaginary: Matrix) -> npt.NDArray[np.complex128]:
    # Not a sum: that would make all of an unknown number NaN.
    numbers = np.empty(imaginary.shape, dtype=np.complex128)
    numbers.real = real
    numbers.imag = imaginary
    return numbers


def _fill_table(
    splits: Sequence[PlacedSplit],
    codes: Lines,
    bounds: Matrix,
    trees: int,
    word: type[np.unsignedinteger],
) -> Words:
    """Give the words of all trees for each place of the column that the splits look at."""
    full = int(np.iinfo(word).max)
    table = np.full((len(bounds), trees), full, dtype=word)
    for number, places, split in splits:
        values = places.take(codes) if codes.size else bounds
        right = values > split.threshold
        if not split.unknown_goes_left:
            right |= np.isnan(values)
        table[right, number] &= word(full - (1 << split.last) + (1 << split.first))
    return table


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
