"""How the values of a feature are distributed: what the card keeps of the training rows."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from predictor.card import Distribution

# As many parts as are few enough to be drawn and enough to see a shift; equally full if they can.
_PARTS = 20
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_DIGITS = 6

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.intp]


def describe_distribution(
    values: "pd.Series[Any]", categories: Sequence[str | int] | None = None
) -> Distribution | None:
    """Describe a column of prepared rows; None if nothing in it is known."""
    known = values.dropna()
    if known.empty:
        return None
    unknown = round(1 - len(known) / len(values), _DIGITS)
    if categories is not None:
        places = {category: place for place, category in enumerate(categories)}
        counts = np.bincount(known.map(places), minlength=len(places))
        return Distribution(unknown=unknown, shares=_share(counts))
    numbers = known.to_numpy(dtype=np.float64)
    edges = _find_edges(numbers)
    quantiles = np.quantile(numbers, _QUANTILES, method="inverted_cdf")
    return Distribution(
        unknown=unknown,
        shares=_share(count_parts(numbers, edges)),
        edges=edges,
        quantiles={f"{share:g}": float(q) for share, q in zip(_QUANTILES, quantiles, strict=True)},
    )


def count_parts(numbers: Numbers, edges: Sequence[float]) -> Counts:
    """Count the numbers up to and with each edge, and above the last."""
    return np.bincount(np.searchsorted(edges, numbers, side="left"), minlength=len(edges) + 1)


def _find_edges(numbers: Numbers) -> tuple[float, ...]:
    """Part the numbers between values that are there, and each from each if they are few."""
    distinct = np.unique(numbers)
    if len(distinct) > _PARTS:
        levels = np.arange(1, _PARTS) / _PARTS
        distinct = np.unique([*np.quantile(numbers, levels, method="inverted_cdf"), distinct[-1]])
    return tuple(map(float, distinct[:-1]))


def _share(counts: Counts) -> tuple[float, ...]:
    total = math.fsum(counts)
    return tuple(round(float(count / total), _DIGITS) for count in counts)
