from dataclasses import replace

import numpy as np
import pytest

from predictor.card import ModelCard
from training.live_quality import (
    COVERAGE,
    ERROR,
    Sales,
    bound_share,
    judge_quality,
    measure_quality,
    measure_weeks,
    promise_errors,
)
from training.measures import lead


def sell(predicted: list[float], actual: list[float], known_share: float = 1) -> Sales:
    prices = np.array(predicted)
    return Sales(
        ["2026-W45"] * len(predicted),
        np.array(actual),
        prices,
        prices * 0.9,
        prices * 1.1,
        np.full(len(predicted), known_share),
    )


def test_quality_is_measured_against_the_prices_paid(ames_card: ModelCard) -> None:
    quality = measure_quality(sell([110, 100, 80, 101], [100, 100, 100, 100]), ames_card)
    assert quality.sales == 4
    assert quality.mape_percent == pytest.approx((10 + 20 + 1) / 4)
    assert quality.bias_percent == pytest.approx((10 - 20 + 1) / 4)
    assert quality.median_ape_percent == pytest.approx(5.5)
    assert quality.coverage == 0.75
    assert quality.coverage_interval == bound_share(3, 4)


def test_promise_is_that_for_as_much_as_was_known(ames_card: ModelCard) -> None:
    shares = lead(ames_card.metrics)["by_share_of_optional_fields_known"]
    few = promise_errors(sell([1], [1], known_share=0), ames_card)
    all_known = promise_errors(sell([1], [1], known_share=1), ames_card)
    assert few == [shares["0"]["mape_percent"]]
    assert all_known == [shares["1"]["mape_percent"]]
    between = promise_errors(sell([1], [1], known_share=0.6), ames_card)
    assert all_known < between < few


def test_error_of_a_few_facts_is_bad_only_where_all_were_known(ames_card: ModelCard) -> None:
    predicted, actual = [112.0, 88.0] * 50, [100.0] * 100
    assert judge_quality(sell(predicted, actual, known_share=0), ames_card)[ERROR] > 0.5
    assert judge_quality(sell(predicted, actual, known_share=1), ames_card)[ERROR] < 1e-6


def test_coverage_is_bad_when_too_few_prices_lie_inside(ames_card: ModelCard) -> None:
    inside = [100.0] * 88 + [150.0] * 12
    outside = [100.0] * 60 + [150.0] * 40
    assert judge_quality(sell([100.0] * 100, inside), ames_card)[COVERAGE] > 0.5
    assert judge_quality(sell([100.0] * 100, outside), ames_card)[COVERAGE] < 1e-6


def test_too_few_sales_are_not_judged(ames_card: ModelCard) -> None:
    assert judge_quality(sell([100.0] * 29, [200.0] * 29), ames_card) == {}


def test_interval_that_the_log_lacks_counts_neither_way(ames_card: ModelCard) -> None:
    sales = sell([100.0, 100.0], [100.0, 100.0])
    half = replace(sales, lower=np.array([np.nan, 90.0]), upper=np.array([np.nan, 110.0]))
    assert measure_quality(half, ames_card).coverage_interval == bound_share(1, 1)
    none = replace(sales, lower=np.full(2, np.nan))
    assert measure_quality(none, ames_card).coverage is None


def test_weeks_are_measured_on_their_own(ames_card: ModelCard) -> None:
    sales = replace(sell([110, 100], [100, 100]), weeks=["2026-W46", "2026-W45"])
    weeks = measure_weeks(sales, ames_card)
    assert [(week, quality.mape_percent) for week, quality in weeks.items()] == [
        ("2026-W45", 0),
        ("2026-W46", 10),
    ]


def test_interval_of_a_share_is_wilsons() -> None:
    assert bound_share(90, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)
