"""Watching a model: its inputs against those of training, its prices against those paid.

All tests are corrected together, by Holm, so that among them a false alarm has a chance below
ALPHA. A bound is passed only by a difference that is more than chance and large enough to matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from scipy import stats

from predictor.card import ModelCard
from training.drift import Drift, correct_by_holm, measure_drift
from training.errors import TrainingError
from training.live_quality import (
    COVERAGE,
    COVERAGE_MARGIN,
    ERROR,
    ERROR_BOUND,
    Quality,
    Sales,
    judge_quality,
    measure_quality,
    measure_weeks,
)
from training.log_inputs import LogInputs, find_sales, name_week

ALPHA = 0.01
REFUSED = "refused inputs"
PSI_BOUND = 0.05
"""A drift below it doesn't matter, however sure it is."""
REFUSED_BOUND = 0.05
"""More of the inputs than this share may not be refused."""


@dataclass(frozen=True)
class Findings:
    """What was found, the strongest drift first. `p_values` are corrected, by what was tested."""

    card: ModelCard
    inputs: LogInputs
    drifts: Sequence[Drift]
    p_values: dict[str, float]
    sales: Sales

    @cached_property
    def quality(self) -> Quality | None:
        return measure_quality(self.sales, self.card) if len(self.sales.actual) else None

    @cached_property
    def weeks(self) -> dict[str, Quality]:
        return measure_weeks(self.sales, self.card)

    def has_drifted(self, drift: Drift) -> bool:
        return drift.psi >= PSI_BOUND and self._is_sure(drift.feature.name)

    @cached_property
    def alarms(self) -> list[str]:
        """The bounds that were passed, in words."""
        alarms = [
            f"{each.feature.name} has drifted: PSI {each.psi:.2f}"
            for each in self.drifts
            if self.has_drifted(each)
        ]
        quality, interval = self.quality, self.card.interval
        if quality and self._is_sure(ERROR):
            alarms.append(
                f"MAPE is {quality.mape_percent:.1f}%, more than {ERROR_BOUND:g} times the "
                f"promised {quality.promised_mape_percent:.1f}%"
            )
        if quality and interval and self._is_sure(COVERAGE):
            alarms.append(
                f"the intervals hold {quality.coverage:.0%} of the prices, more than "
                f"{100 * COVERAGE_MARGIN:g} points below the promised {interval.coverage:.0%}"
            )
        if self._is_sure(REFUSED):
            alarms.append(f"more than {REFUSED_BOUND:.0%} of the inputs are refused")
        return alarms

    def _is_sure(self, test: str) -> bool:
        return self.p_values.get(test, 1) < ALPHA


def judge(card: ModelCard, inputs: LogInputs) -> Findings:
    """Test everything.

    Raises:
        TrainingError: the card doesn't say how the features were distributed in training.
    """
    measured = (
        measure_drift(feature, inputs.values[:, place], card.training.rows)
        for place, feature in enumerate(card.inputs)
    )
    drifts = [each for each in measured if each is not None]
    if not drifts:
        raise TrainingError(
            f"the card of {card.name} version {card.version} is older than `watch`: it doesn't "
            "say how the features were distributed in training; train a new version"
        )
    sales = find_sales(card, inputs)
    p_values = {each.feature.name: each.p_value for each in drifts if each.p_value is not None}
    p_values |= judge_quality(sales, card)
    total = inputs.refused + len(inputs.logged)
    p_values[REFUSED] = float(
        stats.binomtest(inputs.refused, total, REFUSED_BOUND, alternative="greater").pvalue
    )
    corrected = correct_by_holm(p_values)
    drifts.sort(key=lambda each: (corrected.get(each.feature.name, 1), -each.psi))
    return Findings(card, inputs, drifts, corrected, sales)


def measure_prices(findings: Findings) -> dict[str, list[float]]:
    """Give the predicted prices by week, the first one first."""
    weeks: dict[str, list[float]] = {}
    for each in findings.inputs.logged:
        if each.price is not None:
            weeks.setdefault(name_week(each.received_at), []).append(each.price)
    return dict(sorted(weeks.items()))
