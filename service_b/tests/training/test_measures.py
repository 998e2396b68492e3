import numpy as np
import pytest

from training.measures import MEASURES, format_table, measure, part_by_thirds, summarize

ACTUAL = np.array([100_000.0, 200_000.0, 300_000.0])
PREDICTED = np.array([110_000.0, 190_000.0, 360_000.0])
HALF_WIDTHS = np.full(3, 0.1)


def test_measures_are_what_their_names_say() -> None:
    assert measure(ACTUAL, PREDICTED, HALF_WIDTHS) == pytest.approx(
        {
            "r2": 1 - 3.8e9 / 2e10,
            "rmse_usd": 35_590.2608,
            "mae_usd": 26_666.6667,
            "rmsle": np.sqrt(np.mean(np.log([1.1, 0.95, 1.2]) ** 2)),
            "mape_percent": 35 / 3,
            "wmape_percent": 100 * 80 / 600,
            "median_ape_percent": 10,
            "within_10_percent_share": 2 / 3,
            "interval_coverage_share": 2 / 3,
            "interval_relative_width": np.exp(0.1) - np.exp(-0.1),
        },
        abs=1e-4,
    )


def test_perfect_predictions_have_no_error() -> None:
    measures = measure(ACTUAL, ACTUAL, HALF_WIDTHS)
    assert (measures["r2"], measures["mape_percent"], measures["rmsle"]) == (1, 0, 0)


def test_interval_is_not_measured_when_there_is_none() -> None:
    measures = measure(ACTUAL, PREDICTED, None)
    assert not [name for name in measures if name.startswith("interval")]


def test_table_has_a_line_per_measure_and_leaves_missing_ones_blank() -> None:
    whole = measure(ACTUAL, PREDICTED, HALF_WIDTHS)
    lines = format_table({"all fields": whole, "forest": measure(ACTUAL, ACTUAL)}, "USD").split(
        "\n"
    )
    assert len(lines) == 2 + len(MEASURES)
    assert lines[0] == "| | all fields | forest |"
    assert lines[2] == "| R² | 0.8100 | 1.0000 |"
    assert lines[3] == "| RMSE, USD | 35,590 | 0 |"
    assert lines[-1] == "| interval width / price | 0.200 |  |"
    forest = measure(ACTUAL, ACTUAL)  # has no interval: no line of it
    assert len(format_table({"forest": forest}, "USD").split("\n")) == 2 + len(MEASURES) - 2


def test_thirds_hold_as_many_rows_each() -> None:
    assert np.bincount(part_by_thirds(np.arange(1.0, 31.0))).tolist() == [10, 10, 10]


def test_summary_gives_mean_deviation_and_ends() -> None:
    assert summarize([{"r2": 0.8}, {"r2": 0.9}]) == {
        "r2": {"mean": 0.85, "deviation": 0.05, "lowest": 0.8, "highest": 0.9}
    }
