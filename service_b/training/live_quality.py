"""How good the predictions in the log were, by the prices that were paid, and what was promised."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from predictor.card import ModelCard
from training.estimator import Prices
from training.measures import lead, measure

ERROR, COVERAGE = "error of the prices", "coverage of the intervals"
"""The names of the tests."""

# The promise was measured on a few hundred rows, so a difference up to these isn't bad yet.
ERROR_BOUND = 1.2
"""MAPE, as a multiple of the promised one."""
COVERAGE_MARGIN = 0.03
"""What the coverage may lack of the promised one."""
FEWEST_SALES = 30
"""Fewer are not tested."""
_ALL_ALIKE = 1e-6


@dataclass(frozen=True)
class Sales:
    """Predictions of one version whose houses were sold, in the order in which they were made.

    `known_shares` are the shares of the optional fields that were known; an interval that isn't
    in the log is NaN.
    """

    weeks: Sequence[str]
    actual: Prices
    predicted: Prices
    lower: Prices
    upper: Prices
    known_shares: npt.NDArray[np.float64]

    def take(self, own: npt.NDArray[np.bool_]) -> "Sales":
        weeks = [week for week, is_own in zip(self.weeks, own, strict=True) if is_own]
        columns = (self.actual, self.predicted, self.lower, self.upper, self.known_shares)
        return Sales(weeks, *(column[own] for column in columns))

    @property
    def is_inside(self) -> npt.NDArray[np.bool_]:
        """Whether the price lies in the interval, of those that have one."""
        has = ~np.isnan(self.lower) & ~np.isnan(self.upper)
        inside = (self.lower <= self.actual) & (self.actual <= self.upper)
        return np.asarray(inside[has], dtype=np.bool_)


@dataclass(frozen=True)
class Quality:
    """Errors in percent of the price; `coverage` with its 95% interval (Wilson)."""

    sales: int
    mape_percent: float
    promised_mape_percent: float
    median_ape_percent: float
    bias_percent: float
    within_10_percent_share: float
    coverage: float | None
    coverage_interval: tuple[float, float] | None


def measure_quality(sales: Sales, card: ModelCard) -> Quality:
    """Measure at least one sale."""
    measures = measure(sales.actual, sales.predicted)
    inside = sales.is_inside
    return Quality(
        sales=len(sales.actual),
        mape_percent=measures["mape_percent"],
        promised_mape_percent=round(float(promise_errors(sales, card).mean()), 4),
        median_ape_percent=measures["median_ape_percent"],
        bias_percent=round(float(100 * np.mean(sales.predicted / sales.actual - 1)), 4),
        within_10_percent_share=measures["within_10_percent_share"],
        coverage=round(float(inside.mean()), 4) if len(inside) else None,
        coverage_interval=bound_share(int(inside.sum()), len(inside)) if len(inside) else None,
    )


def measure_weeks(sales: Sales, card: ModelCard) -> dict[str, Quality]:
    """Measure each week on its own, the first one first."""
    weeks = np.array(sales.weeks)
    return {
        week: measure_quality(sales.take(weeks == week), card) for week in sorted({*sales.weeks})
    }


def judge_quality(sales: Sales, card: ModelCard) -> dict[str, float]:
    """Give the p-values of the bounds: small if one is passed by more than chance."""
    p_values = {}
    errors = 100 * np.abs(sales.predicted / sales.actual - 1)
    if len(errors) >= FEWEST_SALES:
        beyond = errors - ERROR_BOUND * promise_errors(sales, card)
        if beyond.std() < _ALL_ALIKE:  # one house, again and again
            p_values[ERROR] = float(beyond.mean() <= 0)
        else:
            p_values[ERROR] = float(stats.ttest_1samp(beyond, 0, alternative="greater").pvalue)
    inside = sales.is_inside
    if card.interval is not None and len(inside) >= FEWEST_SALES:
        least = card.interval.coverage - COVERAGE_MARGIN
        test = stats.binomtest(int(inside.sum()), len(inside), least, alternative="less")
        p_values[COVERAGE] = float(test.pvalue)
    return p_values


def promise_errors(sales: Sales, card: ModelCard) -> npt.NDArray[np.float64]:
    """Give the MAPE that the card promises for so much as was known of each house."""
    by_share = lead(card.metrics)["by_share_of_optional_fields_known"]
    shares = [float(share) for share in by_share]
    errors = [each["mape_percent"] for each in by_share.values()]
    return np.asarray(np.interp(sales.known_shares, shares, errors), dtype=np.float64)


def bound_share(successes: int, count: int) -> tuple[float, float]:
    """Give the ends of a share's 95% interval (Wilson)."""
    interval = stats.binomtest(successes, count).proportion_ci(method="wilson")
    return round(float(interval.low), 4), round(float(interval.high), 4)
