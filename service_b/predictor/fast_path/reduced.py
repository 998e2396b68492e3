"""A blend whose second estimator is asked only where nothing but its few columns is known."""

from collections.abc import Callable

import numpy as np

from predictor.estimators import ReducedBlend
from predictor.fast_path.encoding import Encoding, Matrix


def build_reduced(
    blend: ReducedBlend, encoding: Encoding, places: Matrix
) -> Callable[[Matrix, Matrix], None]:
    """Mix the second estimator into the predictions of the first, in place."""
    known = np.array(blend.known)
    few = np.flatnonzero(known)
    coded = np.flatnonzero(np.isin(few, encoding.columns))
    unknown = encoding.unknown
    first = int(np.argmin(known))
    no_first = unknown[first]

    def mix(predicted: Matrix, matrix: Matrix) -> None:
        # Most inputs have the first of the other columns, and then this is all that is done.
        if all(value == value != no_first for value in matrix[:, first].tolist()):
            return
        given = matrix[:, : len(known)]
        lacking = (given == unknown) | np.isnan(given)
        scant = np.flatnonzero((lacking != known).all(axis=1))
        if scant.size:
            rows = matrix[np.ix_(scant, few)]
            rows[:, coded] = places.take(rows[:, coded].astype(np.intp))
            predicted[scant] = blend.mix(predicted[scant], rows)

    return mix
