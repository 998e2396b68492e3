"""A linear model evaluated without the columns that are made for it."""

import math

import numpy as np
from sklearn.linear_model import Ridge

from predictor.estimators import LinearDesign
from predictor.fast_path.columns import Evaluate
from predictor.fast_path.encoding import Encoding, Matrix


def build_linear(
    design: LinearDesign, ridge: Ridge, share: float, encoding: Encoding, places: Matrix
) -> Evaluate:
    """Join the design and the regression, leaving out the columns that are zero or gated.

    The predictions are multiplied by `share`.

    Raises:
        NoFastPath: a column of numbers holds categories.
    """
    # The numbers that are taken by their logarithm come last.
    order = np.argsort(design.logs_, kind="stable")
    logs = slice(len(order) - np.count_nonzero(design.logs_), None)
    numbers = np.array(design.numbers_, dtype=np.intp)[order]
    encoding.require_numbers(numbers.tolist())
    # Each of shape (1, columns): for a single row numpy then has nothing to broadcast.
    low, high, means, deviations = (
        each[None, order] for each in (*design.bounds_, design.means_, design.deviations_)
    )

    weights, (of_one, of_gate) = _read_weights(design, ridge, share)
    count = len(numbers)
    first = 2 * count + np.cumsum([0, *[size or 0 for size in design.sizes]])
    of_unknown = weights[first[-1] :]
    of_scaled = weights[:count][order] / deviations.T
    of_squares = weights[count : 2 * count][order]
    # The design has a known number's square minus one. One is subtracted for all numbers, and
    # added again for the unknown ones.
    constant = np.array([of_one, of_gate, 0]) - of_squares.sum(axis=0)
    of_unknown_numbers = of_unknown[numbers] + of_squares
    of_squares = of_squares / deviations.T**2
    # An unknown number is treated as the lowest, and what that adds is subtracted again.
    lowest = _take_logs(low.copy(), logs) - means
    of_unknown_numbers -= lowest.T * of_scaled + lowest.T**2 * of_squares
    of_numbers = np.concatenate([of_scaled, of_squares, of_unknown_numbers])
    of_codes = np.zeros((len(places), 3))
    for code, (column, place) in enumerate(zip(encoding.columns, places, strict=True)):
        known = not math.isnan(place)
        of_codes[code] = weights[first[column] + int(place)] if known else of_unknown[column]
    coded = np.unique(encoding.columns)

    def predict(matrix: Matrix) -> Matrix:
        given = matrix.take(numbers, axis=1)
        # Given a bound and NaN, these two return the bound.
        centred = _take_logs(np.fmin(np.fmax(given, low), high), logs) - means
        rows = np.concatenate([centred, centred * centred, np.isnan(given)], axis=1)
        # Columns first: for many rows numpy then adds long runs, not three numbers at a time.
        lines = matrix.T.take(coded, axis=0).astype(np.intp)
        sums = rows @ of_numbers + np.add.reduce(of_codes.take(lines, axis=0), axis=0) + constant
        plain, gated, gate = sums.T
        total: Matrix = plain + gate * gated
        return total

    return predict


def _take_logs(numbers: Matrix, columns: slice) -> Matrix:
    """Give the same matrix, changed in place."""
    changed = numbers[:, columns]
    np.log1p(changed, out=changed)
    return numbers


def _read_weights(
    design: LinearDesign, ridge: Ridge, share: float
) -> tuple[Matrix, tuple[float, float]]:
    """Give for each column of the plain design three weights, and the constants of the first two.

    They are for the plain sum, for the sum that is multiplied by the share of unknown fields, the
    gate, and for the gate itself.
    """
    coefficients = share * ridge.coef_
    categories = sum(size or 0 for size in design.sizes)
    width = 2 * len(design.numbers_) + categories + len(design.sizes)
    weights = np.zeros((width, 3))
    weights[:, 0] = coefficients[:width]
    weights[-len(design.sizes) :, 2] = 1 / len(design.sizes)
    of_gate = 0.0
    if design.gated:
        of_gate, of_square = coefficients[-2:].tolist()
        weights[:, 1] = coefficients[width : 2 * width] + of_square * weights[:, 2]
    return weights, (share * float(ridge.intercept_), of_gate)
