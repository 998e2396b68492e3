"""Drift: whether the values of a field are distributed as they were in training.

Numbers are compared by the two-sample Kolmogorov-Smirnov test at the edges that the card keeps,
where the training's share is exact. That can only understate the distance. Categories are compared
by the chi-squared test, rare ones taken together, and so are numbers of few values: many ties make
the other test blind. The population stability index (PSI) says how large a drift is.

A value that isn't known is left out: callers usually send a few facts where a training row has all,
and the model was trained for that.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from predictor.card import Distribution, Feature
from training.distribution import Counts, count_parts

FEWEST = 30
"""Of known values: fewer are not tested."""
# Below it, the chi-squared test isn't sure of itself.
_FEWEST_EXPECTED = 5
_FEW_VALUES = 12


@dataclass(frozen=True)
class Drift:
    """A field in training and now. Without a test the p-value is None: too few are known."""

    feature: Feature
    training: Distribution
    known: int
    unknown: float
    shares: npt.NDArray[np.float64]
    psi: float
    p_value: float | None


def measure_drift(
    feature: Feature, values: npt.NDArray[np.float64], training_rows: int
) -> Drift | None:
    """Compare values with those in training; None if the card doesn't say how those were.

    A category is its place in the card's `categories`; NaN is unknown.
    """
    training = feature.distribution
    if training is None:
        return None
    known = values[~np.isnan(values)]
    if training.edges is None:
        counts = np.bincount(known.astype(np.intp), minlength=len(training.shares))
    else:
        counts = count_parts(known, training.edges)
    former = np.array(training.shares) * round(training_rows * (1 - training.unknown))
    is_coarse = training.edges is None or len(counts) <= _FEW_VALUES
    test = _test_categories if is_coarse else _test_numbers
    return Drift(
        feature,
        training,
        known=len(known),
        unknown=1 - len(known) / len(values) if len(values) else 1.0,
        shares=counts / max(len(known), 1),
        psi=measure_psi(former, counts),
        p_value=None if len(known) < FEWEST else test(former, counts),
    )


def measure_psi(former: npt.NDArray[np.float64], counts: Counts) -> float:
    """Give the population stability index. Half a value more in each part keeps it finite."""
    expected, found = ((each + 0.5) / (each.sum() + 0.5 * len(each)) for each in (former, counts))
    return float(np.sum((found - expected) * np.log(found / expected)))


def correct_by_holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Give p-values for all tests together: one below alpha is false with a chance below alpha."""
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, (name, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p_value * (len(p_values) - rank)))
        corrected[name] = largest
    return corrected


def _test_numbers(former: npt.NDArray[np.float64], counts: Counts) -> float:
    first, second = former.sum(), counts.sum()
    distance = np.abs(np.cumsum(former) / first - np.cumsum(counts) / second).max()
    size = max(1, round(first * second / (first + second)))
    return float(stats.kstwo.sf(distance, size))


def _test_categories(former: npt.NDArray[np.float64], counts: Counts) -> float:
    table = np.array([former, counts])
    table = table[:, np.argsort(table.sum(axis=0))]
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    # The rarest as one, so many that neither they nor any other are too few; two remain at least.
    enough = (np.cumsum(expected) >= _FEWEST_EXPECTED) & np.append(
        expected[1:] >= _FEWEST_EXPECTED, True
    )
    rare = max(1, min(int(np.argmax(enough)) + 1, table.shape[1] - 1))
    table = np.column_stack([table[:, :rare].sum(axis=1), table[:, rare:]])
    if table.shape[1] < 2 or not table.sum(axis=0).all():
        return 1.0
    if table.shape[1] == 2:
        return float(stats.fisher_exact(table.round().astype(int)).pvalue)
    return float(stats.chi2_contingency(table, correction=False).pvalue)
