"""The tables of a forest: the places of each column, and the leaves that each place rules out."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from predictor.errors import NoFastPath
from predictor.fast_path.encoding import Matrix
from predictor.fast_path.trees import Ensemble, Split

Lines = npt.NDArray[np.intp]
Words = npt.NDArray[np.unsignedinteger]

# The number of a tree, the places that it takes for codes, and one of its splits.
PlacedSplit = tuple[int, Matrix, Split]

# Columns are joined as long as their places have no more combinations than this.
_MAX_JOINED_PLACES = 128


def choose_word(leaves: int) -> type[np.unsignedinteger]:
    for word in (np.uint8, np.uint16, np.uint32, np.uint64):
        if leaves <= np.iinfo(word).bits:
            return word
    raise NoFastPath(f"a tree has {leaves} leaves")


def collect_splits(ensembles: Sequence[Ensemble]) -> dict[int, list[PlacedSplit]]:
    """Give the splits by the column that they look at."""
    splits: dict[int, list[PlacedSplit]] = defaultdict(list)
    trees = [(tree, each.places) for each in ensembles for tree in each.trees]
    for number, (tree, places) in enumerate(trees):
        for split in tree.splits:
            splits[split.column].append((number, places, split))
    return splits


def find_bounds(splits: Sequence[PlacedSplit], codes: Lines) -> Matrix:
    """Give the upper bound of each place of a column, ascending.

    A column of codes has a place for each code. A column of numbers has one up to each threshold,
    one for all above, and one for unknown.
    """
    if codes.size:
        return codes.astype(np.float64)
    return np.array([*sorted({math.inf, *[each.threshold for *_, each in splits]}), math.nan])


def choose_joined(places: Mapping[int, int]) -> list[list[int]]:
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


def fill_table(
    splits: Sequence[PlacedSplit],
    codes: Lines,
    bounds: Matrix,
    trees: int,
    word: type[np.unsignedinteger],
) -> Words:
    """Give the words of all trees for each place of the column that the splits look at."""
    full = int(np.iinfo(word).max)
    # Trees come first while it is filled: a split's places then lie side by side.
    table = np.full((trees, len(bounds)), full, dtype=word)
    for number, places, split in splits:
        right: Any
        if codes.size:
            values = places.take(codes)
            right = values > split.threshold
            if not split.unknown_goes_left:
                right |= np.isnan(values)
        else:
            first = int(bounds.searchsorted(split.threshold, "right"))
            right = slice(first, -1 if split.unknown_goes_left else None)
        table[number, right] &= word(full - (1 << split.last) + (1 << split.first))
    return table.T
