"""The evaluation in pictures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from training.estimator import Prices
from training.interval import COVERAGE
from training.measures import Measures

BLUE, RED, GREY = "#2b6cb0", "#c53030", "#718096"
THOUSANDS = FuncFormatter(lambda value, _: f"{value / 1000:,.0f}k")
_MOST_FEATURES = 20


def draw_all(
    folder: Path,
    actual: Prices,
    predicted: Prices,
    half_widths: Prices,
    importance: Mapping[str, float],
    calibration: Mapping[float, float],
    bands: Mapping[str, Measures],
    unit: str,
) -> list[str]:
    """Write the plots as PNG files and give their names."""
    mpl.use("Agg")
    drawings: dict[str, Callable[[Axes], None]] = {
        "predicted.png": lambda axes: _draw_predicted(axes, actual, predicted, half_widths, unit),
        "residuals.png": lambda axes: _draw_residuals(axes, actual, predicted, unit),
        "importance.png": lambda axes: _draw_importance(axes, importance),
        "calibration.png": lambda axes: _draw_calibration(axes, calibration),
        "price_bands.png": lambda axes: _draw_bands(axes, bands, unit),
    }
    for name, draw in drawings.items():
        figure = Figure(figsize=(6.4, 4.8), layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(folder / name, dpi=80)
    return list(drawings)


def draw_clusters(folder: Path, clusters: Sequence[Mapping[str, Any]]) -> str:
    """Write the plot by which a number of clusters is chosen; give its name."""
    counts = [each["clusters"] for each in clusters]
    (chosen,) = [each["clusters"] for each in clusters if each["chosen"]]
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(counts, [each["inertia"] for each in clusters], "o-", color=BLUE)
    above.set(title="Elbow: clusters of k-means on the coordinates", ylabel="inertia")
    below.plot(counts, [each["silhouette"] for each in clusters], "o-", color=BLUE)
    below.set(title="Silhouette", xlabel="clusters", ylabel="mean silhouette", xticks=counts)
    for axes in (above, below):
        axes.axvline(chosen, color=RED, linewidth=0.8, linestyle="--")
    figure.savefig(folder / "clusters.png", dpi=80)
    return "clusters.png"


def _draw_predicted(
    axes: Axes, actual: Prices, predicted: Prices, half_widths: Prices, unit: str
) -> None:
    inside = np.abs(np.log(predicted / actual)) <= half_widths
    axes.scatter(actual[inside], predicted[inside], s=6, alpha=0.4, color=BLUE, label="inside")
    axes.scatter(
        actual[~inside],
        predicted[~inside],
        s=8,
        alpha=0.6,
        color=RED,
        label="outside its interval",
    )
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.set(
        title="Predicted against actual price, rows held out",
        xlabel=f"actual, {unit}",
        ylabel=f"predicted, {unit}",
        xscale="log",
        yscale="log",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(THOUSANDS)
        axis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        axis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axes.legend()


def _draw_residuals(axes: Axes, actual: Prices, predicted: Prices, unit: str) -> None:
    errors = 100 * (predicted / actual - 1)
    axes.scatter(predicted, np.clip(errors, -100, 100), s=6, alpha=0.4, color=BLUE)
    axes.axhline(0, color=GREY, linewidth=1)
    for level in (-10, 10):
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle="--")
    axes.xaxis.set_major_formatter(THOUSANDS)
    axes.set(
        title="Error by predicted price (beyond ±100% drawn at the edge)",
        xlabel=f"predicted, {unit}",
        ylabel="error, % of the actual price",
    )


def _draw_importance(axes: Axes, importance: Mapping[str, float]) -> None:
    top = list(importance.items())[:_MOST_FEATURES][::-1]
    axes.barh([name for name, _ in top], [rise for _, rise in top], color=BLUE)
    axes.tick_params(axis="y", labelsize=8)
    axes.set(
        title="Importance by permutation",
        xlabel="rise of MAPE when the feature's values are shuffled, points",
    )


def _draw_calibration(axes: Axes, calibration: Mapping[float, float]) -> None:
    axes.plot(list(calibration), [100 * share for share in calibration.values()], color=BLUE)
    axes.axvline(1, color=GREY, linewidth=0.8, linestyle="--")
    axes.axhline(100 * COVERAGE, color=GREY, linewidth=0.8, linestyle="--")
    axes.set(
        title=f"Coverage of the interval: {COVERAGE:.0%} is meant at width 1",
        xlabel="width, as a multiple of the interval's own",
        ylabel="prices inside, %",
        ylim=(0, 102),
    )


def _draw_bands(axes: Axes, bands: Mapping[str, Measures], unit: str) -> None:
    axes.bar(list(bands), [each["mape_percent"] for each in bands.values()], color=BLUE)
    for place, each in enumerate(bands.values()):
        text = f"{each['rows']:,.0f} rows"
        axes.annotate(text, (place, each["mape_percent"]), ha="center", va="bottom", fontsize=8)
    axes.tick_params(axis="x", labelsize=7, rotation=15)
    axes.set(title=f"Error by actual price, {unit}", ylabel="MAPE, %")
