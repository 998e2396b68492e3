"""A chart of requests per second."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from benchmarks.measurement import count_connections
from benchmarks.summary import Row

mpl.use("Agg")
from matplotlib import pyplot

_COLOURS = ("#9ecae1", "#4292c6", "#08519c")


def draw_chart(rows: Sequence[Row], file: Path) -> None:
    """Draw a bar for each row, grouped by what was measured, fastest at the top."""
    counts = sorted({int(row["connections"]) for row in rows})
    speeds = {(row["what"], row["connections"]): float(row["requests/s"]) for row in rows}
    names = sorted({str(row["what"]) for row in rows}, key=lambda name: speeds[name, counts[-1]])
    height = 0.8 / len(counts)
    figure, axes = pyplot.subplots(figsize=(9, 0.5 * len(names) + 1.2), layout="constrained")
    for index, (count, colour) in enumerate(zip(counts, _COLOURS, strict=False)):
        offset = ((len(counts) - 1) / 2 - index) * height  # the first count on top
        places = [place + offset for place in range(len(names))]
        values = [speeds[name, count] for name in names]
        bars = axes.barh(places, values, height, color=colour, label=count_connections(count))
        if count == counts[-1]:
            axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    axes.set_xlabel("requests per second, one worker process each (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(file, dpi=90)
    pyplot.close(figure)
