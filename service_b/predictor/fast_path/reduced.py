"""A blend whose second estimator is asked only where nothing but its few columns is known."""

from collections.abc import Callable
from itertools import groupby

import numpy as np

from predictor.errors import NoFastPath
from predictor.estimators import GaussianProcess, ReducedBlend
from predictor.fast_path.columns import Evaluate
from predictor.fast_path.encoding import Encoding, Matrix


def build_reduced(
    blend: ReducedBlend, encoding: Encoding, places: Matrix
) -> Callable[[Matrix, Matrix], None]:
    """Mix the second estimator into the predictions of the first, in place.

    Raises:
        NoFastPath: the second one isn't a Gaussian process, or there are no other columns.
    """
    if type(blend.reduced_) is not GaussianProcess:
        raise NoFastPath(f"it has {type(blend.reduced_).__name__} for few columns")
    if all(blend.known):
        raise NoFastPath("it has few columns, and no others")
    process = _build_process(blend.reduced_)
    few, others = np.flatnonzero(blend.known), np.flatnonzero(~np.array(blend.known))
    coded = np.flatnonzero(np.isin(few, encoding.columns)).tolist()
    first, no_first = others[0], encoding.unknown[others[0]]
    # There is one NaN only, so whole rows can be compared byte by byte.
    nothing = encoding.unknown[others].tobytes()

    def mix(predicted: Matrix, matrix: Matrix) -> None:
        # Most inputs have the first of the other columns, and then this is all that is done.
        lacking = [
            row
            for row, value in enumerate(matrix[:, first].tolist())
            if not value == value != no_first
        ]
        scant = [row for row in lacking if matrix[row].take(others).tobytes() == nothing]
        if not scant:
            return
        rows = matrix.take(scant, axis=0).take(few, axis=1)
        for column in coded:
            rows[:, column] = places.take(rows[:, column].astype(np.intp))
        alone = predicted[scant]
        mixed = (1 - blend.share) * alone + blend.share * process(rows)
        # Where one of the few isn't known either, the first estimator is alone.
        predicted[scant] = np.where(np.isnan(rows).any(axis=1), alone, mixed)

    return mix


def _build_process(process: GaussianProcess) -> Evaluate:
    """Give the same from known rows in order of their categories: like ones lie side by side."""
    columns, lengths = zip(*process.scales, strict=True)
    numbers, scales = list(columns), np.array(lengths)
    others = [column for column in range(len(process.rows_)) if column not in numbers]
    keys = [tuple(each) for each in process.rows_[others].T.tolist()]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    known = process.rows_[np.ix_(numbers, order)] / scales[:, None]
    weights = process.weights_[order]
    alike: dict[tuple[float, ...], slice] = {}
    first = 0
    for key, members in groupby(keys[each] for each in order):
        alike[key] = slice(first, first := first + len([*members]))
    low, high = process.bounds_[:, numbers]
    sharpness = -1 / (2 * process.shrink**2)

    def predict(rows: Matrix) -> Matrix:
        inside = np.minimum(np.maximum(rows[:, numbers], low), high) / scales
        results = []
        for row, key in zip(inside, rows[:, others].tolist(), strict=True):
            steps = known - row[:, None]
            squares = np.einsum("ij,ij->j", steps, steps)
            total = np.exp(squares * -0.5) @ weights
            same = alike.get(tuple(key))
            if same:
                near = process.local * np.exp(squares[same] * sharpness)
                total += (process.place + near) @ weights[same]
            results.append(total)
        return process.mean_ + np.array(results)

    return predict
