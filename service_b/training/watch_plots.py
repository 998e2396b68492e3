"""The findings of `watch` in pictures."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from training.drift import Drift
from training.live_quality import Quality
from training.plots import BLUE, GREY, RED, THOUSANDS

_MOST_BARS = 20
_MOST_CHARS = 16


def draw_drift(folder: Path, drift: Drift) -> str:
    """Draw a field's values in training and now side by side; give the picture's name."""
    mpl.use("Agg")
    former, now = np.array(drift.training.shares), drift.shares
    shown = np.arange(len(former))
    if len(shown) > _MOST_BARS:  # categories: the largest ones
        shown = np.sort(np.argsort(-np.maximum(former, now))[:_MOST_BARS])
    labels = np.array(_label_parts(drift))[shown]
    places = np.arange(len(shown))
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(places - 0.2, 100 * former[shown], 0.4, color=GREY, label="training")
    axes.bar(places + 0.2, 100 * now[shown], 0.4, color=BLUE, label="inputs")
    axes.set_xticks(places, labels, rotation=60, ha="right", fontsize=7)
    axes.set(
        title=f"{drift.feature.name}: PSI {drift.psi:.2f}, {drift.known:,} known values",
        ylabel="share of the known values, %",
        xlabel=drift.feature.unit or "",
    )
    axes.legend()
    name = f"drift-{drift.feature.name}.png"
    figure.savefig(folder / name, dpi=80)
    return name


def draw_prices(folder: Path, weeks: Mapping[str, Sequence[float]], unit: str) -> str:
    """Draw the predicted prices of each week."""
    mpl.use("Agg")
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.boxplot(list(weeks.values()), whis=(5, 95), showfliers=False)
    axes.set_xticks(range(1, len(weeks) + 1), list(weeks), rotation=30, ha="right", fontsize=7)
    axes.yaxis.set_major_formatter(THOUSANDS)
    axes.set(
        title="Predicted prices: median, half and nine tenths of them", ylabel=f"price, {unit}"
    )
    figure.savefig(folder / "prices.png", dpi=80)
    return "prices.png"


def draw_quality(folder: Path, weeks: Mapping[str, Quality], promised: float | None) -> str:
    """Draw each week's error and coverage beside what was promised."""
    mpl.use("Agg")
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    places, found = range(len(weeks)), weeks.values()
    above.plot(places, [each.mape_percent for each in found], "o-", color=BLUE, label="found")
    errors = [each.promised_mape_percent for each in found]
    above.plot(places, errors, "--", color=GREY, label="promised for as much as was known")
    top = 1.1 * max(*errors, *(each.mape_percent for each in found))
    above.set(title="By the prices that were paid", ylabel="MAPE, %", ylim=(0, top))
    above.legend(fontsize=8)
    for place, each in zip(places, found, strict=True):
        if each.coverage is not None and each.coverage_interval is not None:
            below.plot([place, place], [100 * end for end in each.coverage_interval], color=BLUE)
            below.plot(place, 100 * each.coverage, "o", color=BLUE)
    if promised is not None:
        below.axhline(100 * promised, color=RED, linewidth=0.8, linestyle="--")
    below.set(ylabel="coverage, %", ylim=(0, 102))
    below.set_xticks(places, list(weeks), rotation=30, ha="right", fontsize=7)
    figure.savefig(folder / "quality.png", dpi=80)
    return "quality.png"


def _label_parts(drift: Drift) -> list[str]:
    edges = drift.training.edges
    if edges is None:
        return [str(each)[:_MOST_CHARS] for each in drift.feature.categories or ()]
    ends = [f"{edge:,.6g}".replace(",", "") for edge in edges]
    if not ends:
        return ["all"]
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    return [f"to {ends[0]}", *between, f"over {ends[-1]}"]
