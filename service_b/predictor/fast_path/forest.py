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
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from predictor.errors import NoFastPath
from predictor.fast_path.encoding import Matrix
from predictor.fast_path.leaf_tables import (
    Lines,
    Words,
    choose_joined,
    choose_word,
    collect_splits,
    fill_table,
    find_bounds,
)
from predictor.fast_path.trees import Ensemble

Columns = npt.NDArray[np.intp]

# So many rows fit into the processor's cache.
_ROWS_AT_ONCE = 64
# From this many rows on, a search in each column is faster than one search in all of them.
_MANY_ROWS = 32
_MAX_TABLE_BYTES = 48 * 2**20


class Forest:
    """One or more ensembles on the columns of the same matrix.

    Columns hold numbers, NaN if unknown, or codes; `code_columns` has the column of each code.

    Raises:
        NoFastPath: there are no trees, or they have too many leaves or thresholds.
    """

    def __init__(self, ensembles: Sequence[Ensemble], code_columns: Columns) -> None:
        trees = [tree for each in ensembles for tree in each.trees]
        splits = collect_splits(ensembles)
        if not splits or not all(each.trees for each in ensembles):
            raise NoFastPath("there are no trees that split")
        codes = {column: np.flatnonzero(code_columns == column) for column in splits}
        bounds = {column: find_bounds(own, codes[column]) for column, own in splits.items()}
        groups = choose_joined({column: len(each) for column, each in bounds.items()})
        most = max(len(tree.leaves) for tree in trees)
        word = choose_word(most)
        lines = sum(math.prod(len(bounds[column]) for column in group) for group in groups)
        if lines * len(trees) * word().itemsize > _MAX_TABLE_BYTES:
            raise NoFastPath("the trees have too many thresholds")
        # By column: its number, that of its group, its bounds, and what each of its places adds to
        # the number of the line.
        self._columns: list[tuple[int, int, Matrix, Lines]] = []
        self._table = np.empty((lines, len(trees)), dtype=word)
        first = 0
        for number, group in enumerate(groups):
            table = np.full((1, len(trees)), np.iinfo(word).max, dtype=word)
            for column in group:
                steps = len(table) * np.arange(len(bounds[column]))
                if column == group[0]:
                    steps += first
                self._columns.append((column, number, bounds[column], steps))
                own = fill_table(splits[column], codes[column], bounds[column], len(trees), word)
                table = (own[:, None] & table).reshape(-1, len(trees))
            self._table[first : first + len(table)] = table
            first += len(table)
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


def _to_complex(real: float | Matrix, imaginary: Matrix) -> npt.NDArray[np.complex128]:
    # Not a sum: that would make all of an unknown number NaN.
    numbers = np.empty(imaginary.shape, dtype=np.complex128)
    numbers.real = real
    numbers.imag = imaginary
    return numbers
