"""How unusual an input is: whether its values go together as they do in the training rows.

Every field is cut into a few parts; numbers far beyond all training rows have parts of their own.
For each pair of fields that have much to do with each other, a table says how surprising each
combination of their parts is: how much rarer, on the logarithmic scale, than those of a usual row.
The surprises of the pairs whose fields are known are added up, in deviations. What share of the
training rows surprises as much was counted in training, on rows that the tables had not seen.
Where a model knows places, it counts as well how lonely the input's place is.

What is so unusual that it deserves a warning has a culprit: a combination that no training row has,
or a place without neighbours. So a training row itself never has one.
"""

from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from predictor.errors import ModelRefused

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

# A distance shorter than this, in weighted degrees, is no sign of loneliness.
_SOFTENING = 0.05
# Culprits that are no pair: the place, where it is the most unusual; none, where there is none.
LONELY, NOBODY = -1, -2
# In place of a variance of zero.
_TINY = 1e-9


class Arrays(NamedTuple):
    """What the file of a version holds; columns are the card's inputs, in order."""

    numbers: npt.NDArray[Any]  # the columns of numbers
    edges: npt.NDArray[Any]  # (edges, numbers): where parts end; infinity where there are fewer
    sizes: npt.NDArray[Any]  # (columns): so many parts; the place after them is for unknown
    pairs: npt.NDArray[Any]  # (2, pairs): columns; the same one twice for a value on its own
    surprises: npt.NDArray[Any]  # the tables of all pairs, one after the other
    unseen: npt.NDArray[Any]  # the same: whether no training row has the combination
    variances: npt.NDArray[Any]  # (pairs): of the surprises of training rows
    bands: npt.NDArray[Any]  # where bands of partial descriptions end, as shares of all variance
    shares: npt.NDArray[Any]  # shares of the training rows, rising
    levels: npt.NDArray[Any]  # (bands, shares): the surprise that so many of the rows reach
    loneliness: npt.NDArray[Any]  # (shares): the same of the loneliness; empty without places
    either: npt.NDArray[Any]  # (shares): so many rows are among that share in one way or the other


def write_arrays(arrays: Arrays) -> bytes:
    file = BytesIO()
    np.savez_compressed(file, **arrays._asdict())
    return file.getvalue()


def read_arrays(content: bytes, columns: int) -> Arrays:
    """Read plain arrays of so many columns; nothing is unpickled.

    Raises:
        ModelRefused: it doesn't hold them.
    """
    try:
        with np.load(BytesIO(content), allow_pickle=False) as file:
            found = dict(file)
            # Files of before 27 November 2026 don't have it: then whatever surprises is to blame.
            found.setdefault("unseen", np.ones(len(found["surprises"]), dtype=np.bool_))
            arrays = Arrays(*[found[name] for name in Arrays._fields])
    except Exception as error:  # numpy and zipfile raise many kinds
        raise ModelRefused(f"can't be read as arrays: {error!r}") from error
    if not all(np.isfinite(each).all() for each in arrays._replace(edges=np.zeros(0))):
        raise ModelRefused("arrays of numbers that are not finite")
    if arrays.unseen.shape != arrays.surprises.shape:
        raise ModelRefused("arrays of different combinations")
    if len(arrays.sizes) != columns:
        raise ModelRefused(f"arrays of {len(arrays.sizes)} columns, the card has {columns}")
    return arrays


def measure_loneliness(nearest: Numbers, farther: Numbers) -> Numbers:
    """Compare the distance to the nearest training row with that to a farther one.

    Among others it is small, in town and country; out at sea it is near one.
    """
    return nearest / (farther + _SOFTENING)


class Typicality:
    """Measures rows: numbers as they are, NaN if unknown; categories by their places in the card.

    An unknown category has the place after all others. Rows less usual than `bound` get a culprit.
    """

    def __init__(self, arrays: Arrays, bound: float = 0) -> None:
        self.pairs = arrays.pairs
        self._bound = bound
        self._numbers = arrays.numbers
        self._categories = np.setdiff1d(np.arange(len(arrays.sizes)), arrays.numbers)
        # Columns come first: for many rows numpy then works on long runs.
        self._edges = arrays.edges[:, :, None]
        order = np.argsort(np.concatenate([self._numbers, self._categories]))
        self._first, self._second = order[arrays.pairs]
        heights, widths = arrays.sizes[arrays.pairs] + 1
        self._widths = widths[:, None]
        self._starts = np.cumsum([0, *(heights * widths)[:-1]])[:, None]
        # By cell: how surprising it is, and as imaginary part the variance of its pair, of which an
        # unknown has none. Side by side, both are found by one look into memory.
        variances = [
            np.pad(np.full((height - 1, width - 1), variance), (0, 1)).ravel()
            for height, width, variance in zip(heights, widths, arrays.variances, strict=True)
        ]
        self._cells = arrays.surprises + 1j * np.concatenate(variances)
        self._unseen = arrays.unseen
        self._bands = arrays.bands * arrays.variances.sum()
        self._shares, self._either = arrays.shares, arrays.either
        # Interpolation wants them rising.
        self._levels, self._loneliness = -arrays.levels, -arrays.loneliness

    def measure(self, rows: Numbers, loneliness: Numbers | None) -> tuple[Numbers, Numbers]:
        """Give the share of training rows that are as unusual as each row; and the culprits.

        A culprit is the number of the pair that surprises most of those whose combination is new,
        `LONELY` or `NOBODY`.
        """
        cells, surprises, levels, bands = self.surprise(rows)
        shares = surprised = self.share_surprised(levels, bands)
        lonely = None
        if loneliness is not None:
            lonely = self.share_lonely(loneliness)
            shares = np.interp(np.minimum(surprised, lonely), self._shares, self._either)
        culprits = [NOBODY] * len(rows)
        for row, share in enumerate(shares.tolist()):
            if share < self._bound:
                is_lonely = lonely is not None and lonely[row] < surprised[row]
                culprits[row] = (
                    LONELY if is_lonely else self._blame(cells[:, row], surprises[:, row])
                )
        return shares, np.array(culprits, dtype=np.float64)

    def _blame(self, cells: Places, surprises: Numbers) -> int:
        unseen = np.flatnonzero(self._unseen.take(cells))
        return int(unseen[surprises[unseen].argmax()]) if unseen.size else NOBODY

    def surprise(self, rows: Numbers) -> tuple[Places, Numbers, Numbers, Places]:
        """Give the cell of each pair in the tables, and its surprise, both as (pairs, rows).

        Also gives the level of each row, and its band.
        """
        columns = rows.T
        # Not "above": an unknown number has to end in the last part.
        beyond = ~(columns.take(self._numbers, axis=0) <= self._edges)
        # Counted in bytes, eight times as many fit into a register.
        numbers = np.add.reduce(beyond.view(np.uint8), axis=0, dtype=np.uint8)
        places = columns.take(self._categories, axis=0)
        parts = np.concatenate([numbers, places], dtype=np.intp, casting="unsafe")
        cells = parts.take(self._first, axis=0)
        cells *= self._widths
        cells += parts.take(self._second, axis=0)
        cells += self._starts
        found = self._cells.take(cells)
        sums = np.add.reduce(found, axis=0)
        variances = sums.imag
        levels = sums.real / np.sqrt(np.maximum(variances, _TINY))
        return cells, found.real, levels, self._bands.searchsorted(variances)

    def share_surprised(self, levels: Numbers, bands: Places) -> Numbers:
        """Give the share of training rows of the same band that reach each level."""
        present = set(bands.tolist())
        shares = np.empty(len(levels))
        for band in present:
            own = bands == band if len(present) > 1 else slice(None)
            shares[own] = np.interp(-levels[own], self._levels[band], self._shares)
        return shares

    def share_lonely(self, loneliness: Numbers) -> Numbers:
        """Give the share of training rows that are as lonely."""
        shares: Numbers = np.interp(-loneliness, self._loneliness, self._shares)
        return shares
