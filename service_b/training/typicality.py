"""Learning how unusual inputs are: tables of pairs of fields, and how surprised they are."""

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
Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
# The surprises of the combinations of two columns' parts, which of them no row has, their variance.
Table = tuple[Numbers, Flags, float]

FOLDS = 5
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
    """Count the tables on all rows, and the levels on rows that the tables haven't seen.

    Also gives, for each row, the share of rows that are as unusual, by tables that haven't seen it.
    `points` are the rows' places, if there are any. The distance to the nearest of them is compared
    with that to the one that is `neighbours` away.
    """
    random = np.random.default_rng([seed, len(inputs)])
    rows = encode(features, inputs)
    views = [
        rows,
        *(encode(features, hide_fields(features, inputs, random)) for _ in range(_PARTIAL_VIEWS)),
        encode(features, keep_required(features, inputs)),
    ]
    levels, bands, loneliness = [], [], []
    folds = list(KFold(FOLDS, shuffle=True, random_state=seed).split(rows))
    for known, unseen in folds:
        typicality = Typicality(_count(features, rows[known]))
        measured = [typicality.surprise(view[unseen])[2:] for view in views]
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
    counts, starts = _count_together(parts, sizes)
    pairs = [*((each, each) for each in range(len(features))), *_choose_pairs(counts, starts)]
    tables = [
        _surprise(counts, starts, sizes, first, second, features[first].required)
        for first, second in pairs
    ]
    return Arrays(
        numbers=np.array(numbers, dtype=np.intp),
        edges=edges,
        sizes=np.array(sizes),
        pairs=np.array(pairs).T,
        surprises=_join([each for each, _, _ in tables]).astype(np.float32),
        unseen=_join([each for _, each, _ in tables]),
        variances=np.array([variance for _, _, variance in tables]),
        bands=np.array(_BANDS),
        shares=_SHARES,
        levels=np.empty(0),
        loneliness=np.empty(0),
        either=_SHARES,
    )


def _join(tables: list[Any]) -> npt.NDArray[Any]:
    # One place more in both directions, for unknown: it surprises nobody.
    return np.concatenate([np.pad(each, (0, 1)).ravel() for each in tables])


def _find_edges(values: Numbers) -> Numbers:
    known = values[~np.isnan(values)]
    if not len(known):
        return np.array([np.inf])
    low, high = known.min(), known.max()
    margin = _MARGIN * (high - low)
    inner = np.quantile(known, _LEVELS, method="inverted_cdf")
    return np.unique([np.nextafter(low - margin, -np.inf), *inner[inner < high], high + margin])


def _count_together(parts: Numbers, sizes: Sequence[int]) -> tuple[Numbers, Places]:
    """Count how many rows have each two parts of any columns; say where each column starts."""
    flags = np.hstack([parts[:, [i]] == np.arange(size) for i, size in enumerate(sizes)])
    # Whole numbers up to 2**24 are exact, and multiplied in little time.
    counts = (flags.T.astype(np.float32) @ flags.astype(np.float32)).astype(np.float64)
    return counts, np.cumsum([0, *sizes[:-1]])


def _choose_pairs(counts: Numbers, starts: Places) -> list[tuple[int, int]]:
    """Take the pairs of columns that have most information of each other."""

    def add(values: Any, *axes: int) -> Numbers:
        for axis in axes:
            values = np.add.reduceat(values, starts, axis=axis)
        return np.asarray(values, dtype=np.float64)

    def spread(values: Numbers, *axes: int) -> Numbers:
        for axis in axes:
            values = values.repeat(np.diff([*starts, len(counts)]), axis=axis)
        return values

    above, beside, totals = add(counts, 0), add(counts, 1), add(counts, 0, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = counts * spread(totals, 0, 1) / (spread(above, 0) * spread(beside, 1))
        terms = np.where(counts > 0, counts * np.log(ratios), 0)
        # So much of it is found where there is none.
        degrees = (add(above > 0, 1) - 1) * (add(beside > 0, 0) - 1)
        information = np.tril((add(terms, 0, 1) - degrees / 2) / totals, -1)
    information[~(information > 0)] = 0
    best = np.argsort(-information, axis=None, kind="stable")[:_MOST_PAIRS]
    first, second = np.unravel_index(best[information.flat[best] > 0], information.shape)
    return list(zip(first.tolist(), second.tolist(), strict=True))


def _surprise(
    counts: Numbers,
    starts: Places,
    sizes: Sequence[int],
    first: int,
    second: int,
    is_required: bool,
) -> Table:
    rows, columns = (slice(starts[each], starts[each] + sizes[each]) for each in (first, second))
    own = counts[rows, columns]
    if first == second:
        return _surprise_alone(
            np.diagonal(own), _NEVER_SEEN_REQUIRED if is_required else _NEVER_SEEN
        )
    return _surprise_together(own)


def _surprise_alone(counts: Numbers, never_seen: float) -> Table:
    seen = counts > 0
    shares = counts[seen] / counts.sum()
    surprises = np.full(len(counts), never_seen)
    surprises[seen] = -np.log(shares) + np.sum(shares * np.log(shares))
    variance = float(np.sum(shares * surprises[seen] ** 2))
    return np.diag(surprises), np.diag(~seen), variance


def _surprise_together(counts: Numbers) -> Table:
    total = counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    gains = np.log((counts + _PRIOR_ROWS) / (expected + _PRIOR_ROWS))
    table = np.sum(counts * gains) / total - gains
    return table, counts == 0, float(np.sum(counts * table**2) / total)
