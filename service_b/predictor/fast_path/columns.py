"""The transformers of `estimators`, each as a few operations on all columns at once.

They work on the matrices of an `Encoding`. A category stays a code there; trees and linear models
look up the place that the encoder gives it.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from predictor.errors import NoFastPath
from predictor.estimators import Derived, Encoder, NearbyTargets
from predictor.fast_path.encoding import Encoding, Matrix

Evaluate = Callable[[Matrix], Matrix]


def read_places(encoder: Encoder, encoding: Encoding) -> Matrix:
    """Find the place that the encoder gives to each code.

    Raises:
        NoFastPath: it takes a category for a number, or the reverse.
    """
    places: dict[int, dict[Any, float]] = {
        column: each for column, each in enumerate(encoder.places_) if each is not None
    }
    if places.keys() != set(encoding.columns.tolist()):
        raise NoFastPath("the encoder and the card have categories in different columns")
    return np.array([places[column].get(each, math.nan) for column, each in encoding.meanings])


def build_derived(derived: Derived, encoding: Encoding) -> Evaluate:
    """Append the same columns, bit for bit: sums add up in the same order.

    Raises:
        NoFastPath: a column holds categories.
    """
    most = max((len(pairs) for pairs in derived.sums), default=1)
    # Shorter sums are filled up with their first column, times zero.
    sums = [(*pairs, *[(pairs[0][0], 0)] * (most - len(pairs))) for pairs in derived.sums]
    terms = np.array(sums, dtype=np.float64).reshape(-1, most, 2).T
    summed, weights = terms[0].astype(np.intp), terms[None, 1]
    first, second = np.array(derived.products, dtype=np.intp).reshape(-1, 2).T
    above, below = np.array(derived.ratios, dtype=np.intp).reshape(-1, 2).T
    encoding.require_numbers([*summed.ravel(), *first, *second, *above, *below])

    def derive(matrix: Matrix) -> Matrix:
        totals = np.add.accumulate(weights * matrix.take(summed, axis=1), axis=1)[:, -1]
        products = matrix.take(first, axis=1) * matrix.take(second, axis=1)
        divisors = matrix.take(below, axis=1)
        divisors[divisors == 0] = math.nan
        with np.errstate(over="ignore"):
            ratios = matrix.take(above, axis=1) / divisors
        return np.concatenate([matrix, totals, products, ratios], axis=1)

    return derive


def build_nearby(nearby: NearbyTargets, encoding: Encoding) -> Evaluate:
    """Append the same columns, computed for all spaces at once.

    Raises:
        NoFastPath: a column holds categories.
    """
    searches = nearby.searches
    for _, places in searches:
        encoding.require_numbers(places.columns.ravel().tolist())
    most = max(nearby.counts)
    wanted = np.arange(1, most + 1)
    last = np.array(nearby.counts) - 1
    outer = np.array([0, most - 1])

    def append(matrix: Matrix) -> Matrix:
        found = [tree.query(places.find(matrix), k=wanted) for tree, places in searches]
        distances, rows = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
        sums = np.empty((2, *distances.shape))  # of the weighted targets, and of the weights
        nearness = np.divide(1, distances + nearby.softening, out=sums[1])
        np.multiply(nearness, nearby.targets_.take(rows, mode="wrap"), out=sums[0])
        weighted, total = np.add.accumulate(sums, axis=3, out=sums).take(last, axis=3)
        added = np.concatenate([weighted / total, distances.take(outer, axis=2)], axis=2)
        return np.concatenate([matrix, added.reshape(len(matrix), -1)], axis=1)

    return append
