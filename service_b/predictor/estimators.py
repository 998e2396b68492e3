"""Parts of estimators that scikit-learn doesn't have.

Pickled versions name these classes, so serving needs them, and training builds on them. What
changes here must go on loading and predicting the versions that exist.
"""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve
from scipy.spatial import cKDTree
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin, clone

Matrix = npt.NDArray[np.float64]

# A category of few rows is placed as if so many average rows belonged to it.
_AVERAGE_ROWS = 10
# An ordered category with a smaller share of the known rows isn't told from the next one.
_RARE_SHARE = 0.025
# Beyond these quantiles a number is taken as if it lay there: rows so extreme teach nothing.
_INNER = (0.002, 0.998)
# Numbers that span more than this factor are taken by their logarithm in a linear model.
_WIDE_FACTOR = 20
# So far apart are the spaces that share a tree: no row of one is a neighbour in another.
_FAR = 1e6
# A Gaussian process takes memory by the square of its rows, and time to learn by the cube.
_MOST_PROCESS_ROWS = 5_000


class Encoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Object rows to a matrix: a number as it is, a category by its place, NaN if unknown.

    `categories` has an entry per column: None for a number, else its categories. Their places
    follow the mean of what is predicted, so that a tree can part cheap from dear by one split.
    Where `ordered`, which has an entry per column as well, says so, they are in order already: then
    a rare one takes the place of the next, for its few rows say more of themselves than of it.
    """

    def __init__(
        self,
        categories: tuple[tuple[str | int, ...] | None, ...],
        ordered: tuple[bool, ...] | None = None,
    ) -> None:
        self.categories = categories
        self.ordered = ordered

    def fit(self, rows: npt.NDArray[np.object_], targets: Matrix) -> Self:
        ordered = self.ordered or (False,) * len(self.categories)
        self.places_ = [
            None
            if each is None
            else _join_rare(each, rows[:, column])
            if ordered[column]
            else _order(each, rows[:, column], targets)
            for column, each in enumerate(self.categories)
        ]
        return self

    def transform(self, rows: npt.NDArray[np.object_]) -> Matrix:
        rows = np.asarray(rows, dtype=object)
        matrix = np.empty(rows.shape)
        for column, places in enumerate(self.places_):
            values = rows[:, column]
            matrix[:, column] = (
                values if places is None else [places.get(value, np.nan) for value in values]
            )
        return matrix


def _order(
    categories: tuple[str | int, ...], values: npt.NDArray[np.object_], targets: Matrix
) -> dict[str | int, float]:
    overall = targets.mean()
    means = {}
    for category in categories:
        own = targets[values == category]
        means[category] = (own.sum() + _AVERAGE_ROWS * overall) / (len(own) + _AVERAGE_ROWS)
    return {each: float(place) for place, each in enumerate(sorted(means, key=means.__getitem__))}


def _join_rare(
    categories: tuple[str | int, ...], values: npt.NDArray[np.object_]
) -> dict[str | int, float]:
    counts = [int(np.count_nonzero(values == category)) for category in categories]
    common = [
        place for place, count in enumerate(counts) if count >= _RARE_SHARE * sum(counts)
    ] or [0]
    return {
        category: float(next((each for each in common if each >= place), common[-1]))
        for place, category in enumerate(categories)
    }


class Derived(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Appends weighted sums, products and ratios of columns; NaN where a part is unknown.

    `sums` holds for each new column its (column, weight) pairs; `products` and `ratios` hold
    pairs of columns.
    """

    def __init__(
        self,
        sums: tuple[tuple[tuple[int, float], ...], ...],
        products: tuple[tuple[int, int], ...],
        ratios: tuple[tuple[int, int], ...],
    ) -> None:
        self.sums = sums
        self.products = products
        self.ratios = ratios

    @property
    def added(self) -> int:
        """How many columns are appended."""
        return len(self.sums) + len(self.products) + len(self.ratios)

    def fit(self, matrix: Matrix, targets: Matrix | None = None) -> Self:  # noqa: ARG002
        return self

    def transform(self, matrix: Matrix) -> Matrix:
        columns = [matrix]
        for pairs in self.sums:
            total = np.zeros(len(matrix))
            for column, weight in pairs:
                total += weight * matrix[:, column]
            columns.append(total[:, None])
        columns += [
            (matrix[:, first] * matrix[:, second])[:, None] for first, second in self.products
        ]
        for above, below in self.ratios:
            ratio = np.full(len(matrix), np.nan)
            divisor = matrix[:, below]
            # By something tiny it may be more than a float holds; trees take infinity as a value.
            with np.errstate(over="ignore"):
                np.divide(matrix[:, above], divisor, out=ratio, where=divisor != 0)
            columns.append(ratio[:, None])
        return np.hstack(columns)


class Clusters(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Appends to which cluster a row belongs, and how far it is from the centre of each.

    `space` holds the (column, weight) pairs that span it, `centres` the places in it. A row belongs
    to the nearest one: of a column for each, that one's is 1 and the others are 0.
    """

    def __init__(
        self,
        space: tuple[tuple[int, float], ...],
        centres: tuple[tuple[float, ...], ...],
    ) -> None:
        self.space = space
        self.centres = centres

    @property
    def added(self) -> int:
        """How many columns are appended."""
        return 2 * len(self.centres)

    def fit(self, matrix: Matrix, targets: Matrix | None = None) -> Self:  # noqa: ARG002
        return self

    def transform(self, matrix: Matrix) -> Matrix:
        steps = Places((self.space,)).find(matrix) - np.array(self.centres)
        distances = np.linalg.norm(steps, axis=2)
        belongs = distances == distances.min(axis=1, keepdims=True)
        return np.hstack([matrix, belongs, distances])


class NearbyTargets(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Appends what was known of the nearest training rows: means of their targets, distances.

    Each entry of `spaces` is a way to measure nearness: the (column, weight) pairs that span it.
    For each space and each of `counts` the mean target of so many nearest rows is appended,
    nearer ones weighing more; then the distances to the nearest and to the last of them.
    In training a row is never its own neighbour, so that its features hold no trace of its target.

    All spaces share one tree: a coordinate of its own for each keeps them apart, and a shorter one
    is filled up with zeros. Searching takes some microseconds however little there is to find, so
    one search for all spaces is quicker than one for each, as versions had it before.
    """

    def __init__(
        self,
        spaces: tuple[tuple[tuple[int, float], ...], ...],
        counts: tuple[int, ...],
        softening: float,
    ) -> None:
        self.spaces = spaces
        self.counts = counts
        self.softening = softening

    @property
    def added(self) -> int:
        """How many columns are appended."""
        return len(self.spaces) * (len(self.counts) + 2)

    @property
    def searches(self) -> list[tuple[cKDTree, "Places"]]:
        """Each tree, and the spaces that it holds."""
        size = len(self.spaces) // len(self.trees_)
        return [
            (tree, Places(self.spaces[start : start + size]))
            for tree, start in zip(self.trees_, range(0, len(self.spaces), size), strict=True)
        ]

    def fit(self, matrix: Matrix, targets: Matrix) -> Self:
        places = Places(self.spaces).find(matrix)
        self.trees_ = [cKDTree(places.swapaxes(0, 1).reshape(-1, places.shape[2]))]
        self.targets_ = np.array(targets, dtype=np.float64)
        return self

    def fit_transform(self, matrix: Matrix, targets: Matrix, **_: Any) -> Matrix:
        return self.fit(matrix, targets)._append(matrix, own=np.arange(len(matrix)))

    def transform(self, matrix: Matrix) -> Matrix:
        return self._append(matrix, own=None)

    def _append(self, matrix: Matrix, own: npt.NDArray[np.intp] | None) -> Matrix:
        most = max(self.counts)
        columns = [matrix]
        for tree, places in self.searches:
            for points in places.find(matrix).swapaxes(0, 1):
                if own is None:
                    distances, rows = tree.query(points, k=range(1, most + 1))
                else:
                    distances, rows = tree.query(points, k=range(1, most + 2))
                    distances, rows = _drop_own(distances, rows % len(self.targets_), own)
                weights = 1 / (distances + self.softening)
                weighted = np.cumsum(weights * self.targets_.take(rows, mode="wrap"), axis=1)
                totals = np.cumsum(weights, axis=1)
                last = [count - 1 for count in self.counts]
                columns += [weighted[:, last] / totals[:, last], distances[:, [0, most - 1]]]
        return np.hstack(columns)


class Places:
    """Finds where rows lie in each of some spaces, which may share a tree."""

    def __init__(self, spaces: tuple[tuple[tuple[int, float], ...], ...]) -> None:
        longest = max(map(len, spaces))
        filled = [(*pairs, *[(pairs[0][0], 0.0)] * (longest - len(pairs))) for pairs in spaces]
        if len(spaces) > 1:  # the last coordinate keeps them apart
            filled = [(*pairs, (pairs[0][0], 0.0)) for pairs in filled]
        pairs = np.array(filled).transpose(2, 0, 1)
        self.columns, self.weights = pairs[0].astype(np.intp), pairs[1]
        self.offsets = np.zeros(self.weights.shape)
        if len(spaces) > 1:
            self.offsets[:, -1] = _FAR * np.arange(len(spaces))

    def find(self, matrix: Matrix) -> Matrix:
        """Give the place of each row in each space: (rows, spaces, coordinates)."""
        places: Matrix = matrix.take(self.columns, axis=1) * self.weights + self.offsets
        return places


def _drop_own(
    distances: Matrix, rows: npt.NDArray[np.intp], own: npt.NDArray[np.intp]
) -> tuple[Matrix, npt.NDArray[np.intp]]:
    """Take each row out of its neighbours; the last one where many share its place."""
    keep = rows != own[:, None]
    keep[keep.all(axis=1), -1] = False
    shape = (len(rows), rows.shape[1] - 1)
    return distances[keep].reshape(shape), rows[keep].reshape(shape)


class LinearDesign(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """An encoded matrix to the columns of a linear model that bears unknown fields.

    Numbers are kept within what was seen, taken by logarithm if they span a wide range, and
    standardised; their squares follow. A category becomes a column for each of its values.
    An unknown field is all zeros, and one more column says so. With `gated`, every column appears
    a second time multiplied by the share of unknown fields: the model can trust a field more
    when it is one of few known, where otherwise one weight would have to serve both cases.

    `sizes` has an entry per column: None for a number, else how many categories it has. The numbers
    in the columns `straight` have no square (it is always 0), so their effect has one direction.
    """

    # Those that were pickled before it existed have none of their own.
    straight: tuple[int, ...] = ()

    def __init__(
        self, sizes: tuple[int | None, ...], gated: bool, straight: tuple[int, ...] = ()
    ) -> None:
        self.sizes = sizes
        self.gated = gated
        self.straight = straight

    def fit(self, matrix: Matrix, targets: Matrix | None = None) -> Self:  # noqa: ARG002
        self.numbers_ = [column for column, size in enumerate(self.sizes) if size is None]
        numbers = matrix[:, self.numbers_]
        # The most extreme rows don't widen the bounds, unless nearly all rows are alike.
        inner = np.nanquantile(numbers, _INNER, axis=0)
        outer = np.array([np.nanmin(numbers, axis=0), np.nanmax(numbers, axis=0)])
        self.bounds_ = np.where(inner[0] < inner[1], inner, outer)
        low, high = self.bounds_
        self.logs_ = (low >= 0) & ((1 + high) > _WIDE_FACTOR * (1 + low))
        scaled = self._scale(numbers)
        self.means_ = np.nanmean(scaled, axis=0)
        deviations = np.nanstd(scaled, axis=0)
        self.deviations_ = np.where(deviations > 0, deviations, 1)
        return self

    def transform(self, matrix: Matrix) -> Matrix:
        unknown = np.isnan(matrix)
        numbers = (self._scale(matrix[:, self.numbers_]) - self.means_) / self.deviations_
        known = ~unknown[:, self.numbers_]
        squared = known & ~np.isin(self.numbers_, self.straight)
        columns = [np.where(known, numbers, 0), np.where(squared, numbers**2 - 1, 0)]
        for column, size in enumerate(self.sizes):
            if size is not None:
                columns.append(matrix[:, [column]] == np.arange(size))
        columns.append(unknown)
        design = np.hstack(columns, dtype=np.float64)
        if not self.gated:
            return design
        share = unknown.mean(axis=1, keepdims=True)
        return np.hstack([design, share * design, share, share**2])

    def _scale(self, numbers: Matrix) -> Matrix:
        inside = np.clip(numbers, *self.bounds_)
        return np.where(self.logs_, np.log1p(np.where(self.logs_, inside, 0)), inside)


class GaussianProcess(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A Gaussian process with a given kernel: how much two rows say about each other's targets.

    `scales` holds (column, length) pairs: the numbers, and over which difference the kernel falls
    from 1 to 0.6. The other columns hold categories. Where two rows have the same ones, `place` is
    added, and `local` times a kernel whose lengths are `shrink` times as long. `noise` is the
    variance of the targets of equal rows, in the same unit (Rasmussen and Williams 2006, chapter
    2). A number beyond nearly all rows counts as the bound it is beyond. Of more than 5,000 rows it
    learns from the last.

    scikit-learn's own keeps a matrix of all rows with all rows: 69 MB for 2,930.
    """

    def __init__(
        self,
        scales: tuple[tuple[int, float], ...],
        place: float,
        local: float,
        shrink: float,
        noise: float,
    ) -> None:
        self.scales = scales
        self.place = place
        self.local = local
        self.shrink = shrink
        self.noise = noise

    def fit(self, rows: Matrix, targets: Matrix) -> Self:
        rows, targets = rows[-_MOST_PROCESS_ROWS:], targets[-_MOST_PROCESS_ROWS:]
        numbers = [column for column, _ in self.scales]
        self.bounds_ = np.tile([[-np.inf], [np.inf]], rows.shape[1])
        self.bounds_[:, numbers] = np.quantile(rows[:, numbers], _INNER, axis=0)
        self.rows_ = np.clip(rows, *self.bounds_).T.copy()
        self.mean_ = float(targets.mean())
        kernel = np.array([*self._compare(rows)])
        np.fill_diagonal(kernel, kernel.diagonal() + self.noise)
        self.weights_ = solve(kernel, targets - self.mean_, assume_a="pos", overwrite_a=True)
        return self

    def predict(self, rows: Matrix) -> Matrix:
        return self.mean_ + np.array([each @ self.weights_ for each in self._compare(rows)])

    def _compare(self, rows: Matrix) -> Iterator[Matrix]:
        """Give the kernel of each row with all known rows."""
        nearness = np.zeros(len(self.rows_))
        for column, length in self.scales:
            nearness[column] = 1 / length**2
        categories = np.flatnonzero(nearness == 0)
        for row in np.clip(rows, *self.bounds_):
            steps = self.rows_ - row[:, None]
            squares = nearness @ (steps * steps)
            kernel = np.exp(squares / -2)
            same = np.flatnonzero(~steps[categories].any(axis=0))
            near = np.exp(squares[same] / (-2 * self.shrink**2))
            kernel[same] += self.place + self.local * near
            yield kernel


class ReducedBlend(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator, and a second one of few columns for the rows of which no others are known.

    `known` has an entry per input column, the first ones of the matrix: whether it is one of the
    few. A row of which just these are known gets the mean of both predictions, in which that of
    `reduced` counts `share`; any other row gets that of `main` (Saar-Tsechansky and Provost 2007,
    "Handling missing values when applying classification models").

    In training the rows come in `copies` with other columns unknown in each, one copy after the
    other. The reduced estimator learns from the first.
    """

    def __init__(
        self, main: Any, reduced: Any, known: tuple[bool, ...], share: float, copies: int
    ) -> None:
        self.main = main
        self.reduced = reduced
        self.known = known
        self.share = share
        self.copies = copies

    def fit(self, matrix: Matrix, targets: Matrix) -> Self:
        rows = len(matrix) // self.copies
        self.main_ = clone(self.main).fit(matrix, targets)
        self.reduced_ = clone(self.reduced).fit(
            matrix[:rows, np.flatnonzero(self.known)], targets[:rows]
        )
        return self

    def predict(self, matrix: Matrix) -> Matrix:
        predicted: Matrix = self.main_.predict(matrix)
        unknown = np.isnan(matrix[:, : len(self.known)])
        scant = np.flatnonzero((unknown != self.known).all(axis=1))
        if scant.size:
            few = matrix[np.ix_(scant, np.flatnonzero(self.known))]
            reduced: Matrix = self.reduced_.predict(few)
            predicted[scant] = (1 - self.share) * predicted[scant] + self.share * reduced
        return predicted


class BoundedExp:
    """The exponential, kept between `lowest` and `highest`: no input gives an absurd price."""

    def __init__(self, lowest: float, highest: float) -> None:
        self.lowest = lowest
        self.highest = highest

    def __call__(self, logs: Matrix) -> Matrix:
        # `np.clip` gives the same, and takes longer than the exponential.
        return np.minimum(np.maximum(np.exp(logs), self.lowest), self.highest)
