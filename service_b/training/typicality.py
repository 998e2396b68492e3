"""Learning how unusual inputs are: tables of pairs of fields, and how surprised they are."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn.model_selection import KFold

from predictor.card import Feature
from predictor.typicality import Arrays, Typicality, measure_loneliness
from training.hidden_fields import Inputs, hide_fields, keep_required

Numbers = npt.NDArray[np.float64]
# The surprises of the combinations of two columns' parts, and their variance.
Table = tuple[Numbers, float]

_FOLDS = 5
_PARTIAL_VIEWS = 3
# A column of numbers ends its parts at these shares of its values, and at its ends.
_LEVELS = (0.0, 0.002, 0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98, 0.998)
# Only beyond its ends by this share of their distance a number counts as never seen.
_MARGIN = 0.1
_MOST_PAIRS = 100
# Each combination counts as if it had been seen so many times more, if its fields were independent.
_PRIOR_ROWS = 1.0
# How surprising a value is that no row has: as much as two or three rare ones; in a required field,
# more than all else together.
_NEVER_SEEN = 20.0
_NEVER_SEEN_REQUIRED = 1000.0
_BANDS = (0.03, 0.15, 0.4, 0.75)
_SHARES = np.geomspace(1e-4, 1, 41)


def fit_typicality(
    features: Sequence[Feature], inputs: Inputs, points: Numbers | None, neighbours: int, seed: int
) -> tuple[Arrays, Numbers]:
    """Count the tables on all rows, and the levels on rows that tables of others haven't seen.

    Gives the share of as unusual rows for each row as well, by such tables.

    `points` are the rows' places, if there are any; `neighbours` says how many away the farther one
    is with which the distance to the nearest is compared.
    """
    random = np.random.default_rng([seed, len(inputs)])
    rows = encode(features, inputs)
    views = [
        rows,
        *(encode(features, hide_fields(features, inputs, random)) for _ in range(_PARTIAL_VIEWS)),
        encode(features, keep_required(features, inputs)),
    ]
    levels, bands, loneliness = [], [], []
    folds = list(KFold(_FOLDS, shuffle=True, random_state=seed).split(rows))
    for known, unseen in folds:
        typicality = Typicality(_count(features, rows[known]))
        measured = [typicality.surprise(view[unseen])[1:] for view in views]
        levels.append([found for found, _ in measured])
        bands.append([band for _, band in measured])
        if points is not None:
            distances, _ = cKDTree(points[known]).query(points[unseen], k=[1, neighbours])
            loneliness.append(measure_loneliness(*distances.T))
    found, band = np.concatenate(levels, axis=1), np.concatenate(bands, axis=1)
    arrays = _count(features, rows)._replace(
        levels=np.array([_reach(found[band == each]) for each in range(len(_BANDS) + 1)])
    )
    order = np.argsort(np.concatenate([unseen for _, unseen in folds]))
    shares = Typicality(arrays).share_surprised(found[0], band[0])
    if points is None:
        return arrays, shares[order]
    lonely = np.concatenate(loneliness)
    arrays = arrays._replace(loneliness=_reach(lonely))
    least = np.minimum(shares, Typicality(arrays).share_lonely(lonely))
    either = np.searchsorted(np.sort(least), _SHARES, "right") / len(least)
    return arrays._replace(either=either), np.interp(least, _SHARES, either)[order]


def encode(features: Sequence[Feature], inputs: Inputs) -> Numbers:
    """Give rows as a `Typicality` takes them."""
    rows = np.empty(inputs.shape)
    for column, feature in enumerate(features):
        values: Any = inputs[:, column]
        if feature.categories is not None:
            places = {each: place for place, each in enumerate(feature.categories)}
            values = [places.get(value, len(places)) for value in values]
        rows[:, column] = values
    return rows


def _reach(found: Numbers) -> Numbers:
    """Give the value that each of the shares reaches; of no values something that all reach."""
    return np.quantile(found, 1 - _SHARES) if len(found) else np.zeros(len(_SHARES))


def _count(features: Sequence[Feature], rows: Numbers) -> Arrays:
    """Count everything but the levels."""
    numbers = [column for column, each in enumerate(features) if each.categories is None]
    ends = [_find_edges(rows[:, column]) for column in numbers]
    # One more, so that the last part is nobody's but of unknown numbers.
    edges = np.full((max(map(len, ends), default=0) + 1, len(numbers)), np.inf)
    for place, own in enumerate(ends):
        edges[: len(own), place] = own
    sizes = [len(each.categories or edges) for each in features]
    parts = rows.copy()
    parts[:, numbers] = np.sum(~(rows[:, numbers] <= edges[:, None]), axis=0)
    pairs, tables = _choose_pairs(_count_together(parts, sizes))
    for number, (first, second) in enumerate(pairs):
        if first == second and features[first].required:
            tables[number][0][tables[number][0] == _NEVER_SEEN] = _NEVER_SEEN_REQUIRED
    return Arrays(
        numbers=np.array(numbers, dtype=np.intp),
        edges=edges,
        sizes=np.array(sizes),
        pairs=np.array(pairs).T,
        # One place more in both directions, for unknown: it surprises nobody.
        surprises=np.concatenate([np.pad(each, (0, 1)).ravel() for each, _ in tables]).astype(
            np.float32
        ),
        variances=np.array([variance for _, variance in tables]),
        bands=np.array(_BANDS),
        shares=_SHARES,
        levels=np.empty(0),
        loneliness=np.empty(0),
        either=_SHARES,
    )


def _find_edges(values: Numbers) -> Numbers:
    known = values[~np.isnan(values)]
    low, high = known.min(), known.max()
    margin = _MARGIN * (high - low)
    inner = np.quantile(known, _LEVELS, method="inverted_cdf")
    return np.unique([np.nextafter(low - margin, -np.inf), *inner[inner < high], high + margin])


def _count_together(parts: Numbers, sizes: Sequence[int]) -> dict[tuple[int, int], Numbers]:
    """Give for each two columns how many rows have each combination of their parts."""
    ends = np.cumsum([0, *sizes])
    flags = np.hstack([parts[:, [i]] == np.arange(size) for i, size in enumerate(sizes)])
    # Whole numbers up to 2**24 are exact, and multiplied in little time.
    together = flags.T.astype(np.float32) @ flags.astype(np.float32)
    columns = range(len(sizes))
    return {
        (first, second): together[
            ends[first] : ends[first + 1], ends[second] : ends[second + 1]
        ].astype(np.float64)
        for first in columns
        for second in columns[: first + 1]
    }


def _choose_pairs(
    counted: dict[tuple[int, int], Numbers],
) -> tuple[list[tuple[int, int]], list[Table]]:
    """Take each column on its own, and the pairs that say most of each other."""
    alone = {
        each: _surprise_alone(np.diagonal(counts))
        for each, counts in counted.items()
        if each[0] == each[1]
    }
    together = {
        each: _surprise_together(counts)
        for each, counts in counted.items()
        if each[0] != each[1] and counts.any()
    }
    telling = sorted(together, key=lambda each: together[each][2], reverse=True)[:_MOST_PAIRS]
    tables = alone | {each: together[each][:2] for each in telling if together[each][2] > 0}
    return list(tables), list(tables.values())


def _surprise_alone(counts: Numbers) -> Table:
    seen = counts > 0
    shares = counts[seen] / counts.sum()
    surprises = np.full(len(counts), _NEVER_SEEN)
    surprises[seen] = -np.log(shares) + np.sum(shares * np.log(shares))
    variance = float(np.sum(shares * surprises[seen] ** 2))
    table = np.zeros((len(counts), len(counts)))
    np.fill_diagonal(table, surprises)
    return table, variance


def _surprise_together(counts: Numbers) -> tuple[Numbers, float, float]:
    """Give the table, its variance, and the information that one column has of the other."""
    total = counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    gains = np.log((counts + _PRIOR_ROWS) / (expected + _PRIOR_ROWS))
    table = np.sum(counts * gains) / total - gains
    seen = counts > 0
    information = np.sum(counts[seen] * np.log(counts[seen] / expected[seen])) / total
    degrees = math.prod(np.count_nonzero(counts.sum(axis=axis)) - 1 for axis in (0, 1))
    # So much of it is found where there is none.
    return table, float(np.sum(counts * table**2) / total), information - degrees / (2 * total)
