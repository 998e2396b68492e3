"""How good predictions are, in numbers whose names carry their units."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.estimator import Prices

# Name in the card, label and format in tables; `{unit}` is that of the price.
MEASURES = {
    "r2": ("R²", ".4f"),
    "rmse_usd": ("RMSE, {unit}", ",.0f"),
    "mae_usd": ("MAE, {unit}", ",.0f"),
    "rmsle": ("RMSLE", ".4f"),
    "mape_percent": ("MAPE, %", ".2f"),
    "wmape_percent": ("wMAPE, %", ".2f"),
    "median_ape_percent": ("median APE, %", ".2f"),
    "within_10_percent_share": ("share within 10%", ".3f"),
    "interval_coverage_share": ("interval coverage, share", ".3f"),
    "interval_relative_width": ("interval width / price", ".3f"),
}

Measures = dict[str, float]


def measure(actual: Prices, predicted: Prices, half_widths: Prices | None = None) -> Measures:
    """Compare predictions with prices; with half widths (log scale) the intervals too."""
    error = np.abs(predicted - actual)
    log_error = np.abs(np.log(predicted / actual))
    variation = np.sum((actual - actual.mean()) ** 2)
    measures = {
        "r2": 1 - np.sum(error**2) / variation if variation else np.nan,
        "rmse_usd": np.sqrt(np.mean(error**2)),
        "mae_usd": np.mean(error),
        "rmsle": np.sqrt(np.mean(log_error**2)),
        "mape_percent": 100 * np.mean(error / actual),
        "wmape_percent": 100 * np.sum(error) / np.sum(actual),
        "median_ape_percent": 100 * np.median(error / actual),
        "within_10_percent_share": np.mean(error <= 0.1 * actual),
    }
    if half_widths is not None:
        measures["interval_coverage_share"] = np.mean(log_error <= half_widths)
        measures["interval_relative_width"] = np.mean(np.exp(half_widths) - np.exp(-half_widths))
    return {name: round(float(value), 4) for name, value in measures.items()}


def lead(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the figures to lead with: those over all rows, where they were measured.

    The others are of one fifth of the rows, and may be lucky.
    """
    found: Mapping[str, Any] = metrics.get("five_fold", metrics)
    return found


def part_by_thirds(actual: Prices) -> npt.NDArray[np.intp]:
    """Give each row the third, 0 to 2, in which its price lies."""
    return np.digitize(actual, np.quantile(actual, [1 / 3, 2 / 3]))


def summarize(runs: Sequence[Measures]) -> dict[str, Measures]:
    """Give mean, standard deviation and the worst ends of each measure over several runs."""
    table = {name: np.array([each[name] for each in runs]) for name in runs[0]}
    return {
        name: {
            "mean": round(float(values.mean()), 4),
            "deviation": round(float(values.std()), 4),
            "lowest": round(float(values.min()), 4),
            "highest": round(float(values.max()), 4),
        }
        for name, values in table.items()
    }


def format_table(
    columns: Mapping[str, Mapping[str, float]], unit: str, names: Sequence[str] = ()
) -> str:
    """Lay measures side by side as a Markdown table, one titled column per set."""
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name in names or MEASURES:
        label, form = MEASURES[name]
        if any(name in measures for measures in columns.values()):
            cells = [format(each[name], form) if name in each else "" for each in columns.values()]
            lines.append(f"| {label.format(unit=unit)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
