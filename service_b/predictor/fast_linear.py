"""A linear model evaluated without the columns that are made for it."""

import math

import numpy as np
from sklearn.linear_model import Ridge

from predictor.codes import Codes, Matrix
from predictor.estimators import LinearDesign
from predictor.fast_columns import Evaluate


def build_linear(
    design: LinearDesign, ridge: Ridge, share: float, codes: Codes, places: Matrix
) -> Evaluate:
    """Join the design and the regression, without the columns of it that are zero or gated.

    The predictions are multiplied by `share`.

    Raises:
        NoFastPath: a column of numbers holds categories.
    """
    # The numbers that are taken by their logarithm come last.
    order = np.argsort(design.logs_, kind="stable")
    logs = slice(len(order) - np.count_nonzero(design.logs_), None)
    numbers = np.array(design.numbers_, dtype=np.intp)[order]
    codes.require_numbers(numbers.tolist())
    # Each of shape (1, columns): for a single row numpy then has nothing to broadcast.
    low, high, means, deviations = (
        each[None, order] for each in (*design.bounds_, design.means_, design.deviations_)
    )

    coefficients = share * ridge.coef_
    weights = _read_weights(design, coefficients)
    count = len(numbers)
    first = 2 * count + np.cumsum([0, *[size or 0 for size in design.sizes]])
    of_unknown = weights[first[-1] :]
    of_numbers = np.concatenate(
        [weights[:count][order], weights[count : 2 * count][order], of_unknown[numbers]]
    )
    of_codes = np.zeros((len(places), 3))
    for code, (column, place) in enumerate(zip(codes.columns, places, strict=True)):
        known = not math.isnan(place)
        of_codes[code] = weights[first[column] + int(place)] if known else of_unknown[column]
    coded = np.unique(codes.columns)
    of_gate, of_square = coefficients[-2:].tolist() if design.gated else (0.0, 0.0)
    intercept = share * float(ridge.intercept_)

    def predict(matrix: Matrix) -> Matrix:
        given = matrix.take(numbers, axis=1)
        unknown = np.isnan(given)
        inside = np.minimum(np.maximum(given, low), high)
        inside[:, logs] = np.log1p(inside[:, logs])
        scaled = (inside - means) / deviations
        scaled[unknown] = 0
        squares = scaled * scaled - ~unknown
        rows = np.concatenate([scaled, squares, unknown], axis=1)
        lines = matrix.take(coded, axis=1).astype(np.intp)
        sums = rows @ of_numbers + np.add.reduce(of_codes.take(lines, axis=0), axis=1)
        plain, gated, unknowns = sums.T
        gate = unknowns / len(design.sizes)
        total: Matrix = plain + gate * (gated + of_gate + gate * of_square) + intercept
        return total

    return predict


def _read_weights(design: LinearDesign, coefficients: Matrix) -> Matrix:
    """Give for each column of the plain design its weight, its gated weight, and what it adds to
    the number of unknown fields."""
    categories = sum(size or 0 for size in design.sizes)
    width = 2 * len(design.numbers_) + categories + len(design.sizes)
    weights = np.zeros((width, 3))
    weights[:, 0] = coefficients[:width]
    if design.gated:
        weights[:, 1] = coefficients[width : 2 * width]
    weights[-len(design.sizes) :, 2] = 1
    return weights
