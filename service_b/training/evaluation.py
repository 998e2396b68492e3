"""How good predictions are, on rows that were never used in training."""

from collections.abc import Mapping

import numpy as np

from training.encoding import Prices

# Name in the card (it carries the unit), label and format in the table.
MEASURES = {
    "r2": ("R²", ".4f"),
    "rmse_usd": ("RMSE, USD", ",.0f"),
    "mae_usd": ("MAE, USD", ",.0f"),
    "rmsle": ("RMSLE", ".4f"),
    "mape_percent": ("MAPE, %", ".2f"),
    "wmape_percent": ("wMAPE, %", ".2f"),
    "median_ape_percent": ("median APE, %", ".2f"),
    "within_10_percent_share": ("share within 10%", ".3f"),
    "interval_coverage_share": ("interval coverage", ".3f"),
    "interval_relative_width": ("interval width / price", ".3f"),
}


def measure(actual: Prices, predicted: Prices, log_half_width: float | None) -> dict[str, float]:
    """Compare predictions with sale prices, and the interval around them where there is one."""
    error = np.abs(predicted - actual)
    log_error = np.abs(np.log(predicted / actual))
    measures = {
        "r2": 1 - np.sum(error**2) / np.sum((actual - actual.mean()) ** 2),
        "rmse_usd": np.sqrt(np.mean(error**2)),
        "mae_usd": np.mean(error),
        "rmsle": np.sqrt(np.mean(log_error**2)),
        "mape_percent": 100 * np.mean(error / actual),
        "wmape_percent": 100 * np.sum(error) / np.sum(actual),
        "median_ape_percent": 100 * np.median(error / actual),
        "within_10_percent_share": np.mean(error <= 0.1 * actual),
    }
    if log_half_width is not None:
        measures["interval_coverage_share"] = np.mean(log_error <= log_half_width)
        measures["interval_relative_width"] = np.exp(log_half_width) - np.exp(-log_half_width)
    return {name: round(float(value), 4) for name, value in measures.items()}


def format_table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Lay measures side by side, one titled column per set of predictions."""
    widths = {title: max(len(title), 10) for title in columns}
    lines = ["".join([f"{'':24}", *(f"  {title:>{widths[title]}}" for title in columns)])]
    for name, (label, form) in MEASURES.items():
        cells = [
            f"  {format(measures[name], form) if name in measures else '':>{widths[title]}}"
            for title, measures in columns.items()
        ]
        lines.append("".join([f"{label:24}", *cells]))
    return "\n".join(lines)
