import numpy as np
import pandas as pd
import pytest

from predictor.card import Feature
from training.distribution import describe_distribution
from training.drift import FEWEST, Drift, correct_by_holm, measure_drift, measure_psi

NUMBERS = np.arange(2000.0)
HALVES = np.repeat([0.0, 1.0], 1000)
ZONES = Feature(
    name="zone",
    column="Zone",
    kind="category",
    meaning="Zone.",
    categories=("a", "b", "c"),
    distribution=describe_distribution(
        pd.Series(["a"] * 1900 + ["b"] * 97 + ["c"] * 3), ("a", "b", "c")
    ),
)


def make_number(values: np.ndarray) -> Feature:
    return Feature(
        name="area",
        column="Area",
        kind="number",
        meaning="Area.",
        minimum=-1e6,
        maximum=1e6,
        distribution=describe_distribution(pd.Series(values)),
    )


def drift_from(feature: Feature, values: list[float] | np.ndarray) -> Drift:
    found = measure_drift(feature, np.array(values, dtype=float), training_rows=2000)
    assert found is not None
    return found


def chance(feature: Feature, values: list[float] | np.ndarray) -> float:
    p_value = drift_from(feature, values).p_value
    assert p_value is not None
    return p_value


def test_same_numbers_have_not_drifted_and_shifted_ones_have() -> None:
    area = make_number(NUMBERS)
    shift = NUMBERS.std() / 2
    assert chance(area, NUMBERS[::10]) > 0.5
    assert chance(area, NUMBERS[::4] + shift) < 1e-6
    assert drift_from(area, NUMBERS[::10]).psi < 0.05
    assert drift_from(area, NUMBERS[::10] + shift).psi > 0.25


def test_p_value_of_numbers_is_that_of_scipy_where_the_edges_show_the_distance() -> None:
    from scipy import stats

    # All of them lie above the middle: the distance is there, at an edge.
    some = NUMBERS[1000::20]
    expected = stats.ks_2samp(NUMBERS, some, method="asymp").pvalue
    assert chance(make_number(NUMBERS), some) == pytest.approx(expected)


def test_numbers_of_few_values_are_compared_as_categories() -> None:
    from scipy import stats

    feature = make_number(np.repeat([0.0, 1.0, 2.0], [1000, 500, 500]))
    found = chance(feature, [0.0] * 30 + [1.0] * 30 + [2.0] * 40)
    expected = stats.chi2_contingency([[1000, 500, 500], [30, 30, 40]]).pvalue
    assert found == pytest.approx(expected)
    assert chance(make_number(HALVES), [0.0] * 40 + [1.0] * 60) == pytest.approx(
        stats.fisher_exact([[1000, 1000], [40, 60]]).pvalue
    )


def test_one_rare_category_is_no_drift_and_many_of_it_are() -> None:
    assert chance(ZONES, [0.0] * 95 + [1.0] * 4 + [2.0]) > 0.05
    assert chance(ZONES, [0.0] * 80 + [2.0] * 20) < 1e-6


def test_values_that_are_all_alike_in_training_drift_when_others_come() -> None:
    same = make_number(np.full(2000, 7.0))
    assert drift_from(same, [7.0] * 100).p_value == 1
    # What lies beyond the only value isn't told from it: the bounds of the card refuse it.
    assert drift_from(same, [9.0] * 100).known == 100


def test_unknown_values_are_counted_and_not_compared() -> None:
    area = make_number(NUMBERS)
    known = NUMBERS[::10]
    found = drift_from(area, np.concatenate([known, np.full(800, np.nan)]))
    assert found.unknown == 0.8
    assert found.p_value == drift_from(area, known).p_value


def test_too_few_known_values_are_not_tested() -> None:
    area = make_number(NUMBERS)
    assert drift_from(area, [5000.0] * (FEWEST - 1)).p_value is None
    assert drift_from(area, [5000.0] * FEWEST).p_value is not None
    assert drift_from(area, [np.nan] * FEWEST).unknown == 1


def test_field_without_a_distribution_in_the_card_is_left_out() -> None:
    feature = make_number(NUMBERS).model_copy(update={"distribution": None})
    assert measure_drift(feature, NUMBERS, 2000) is None


def test_stability_index_is_as_defined() -> None:
    former, now = np.array([5000.0, 5000.0]), np.array([7000, 3000])
    expected = 0.2 * np.log(0.7 / 0.5) - 0.2 * np.log(0.3 / 0.5)
    assert measure_psi(former, now) == pytest.approx(expected, rel=1e-3)
    assert np.isfinite(measure_psi(np.array([10.0, 0.0]), np.array([0, 10])))


def test_holm_corrects_the_smallest_most_and_keeps_the_order() -> None:
    corrected = correct_by_holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.9})
    assert corrected == pytest.approx({"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.9})
