"""A chart of errors, and of how they differ from the lab's, with a dot for each split."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import matplotlib as mpl

from benchmarks.paired import LAB, rank, select_figures, subtract
from benchmarks.summary import Row

mpl.use("Agg")
from matplotlib import pyplot

_LAB_COLOUR, _COLOUR = "#08519c", "#7f7f7f"


def draw_quality(rows: Sequence[Row], file: Path) -> None:
    """Draw a line of two charts for each data, the learners from best to worst."""
    cases = list(dict.fromkeys(str(row["data"]) for row in rows))
    figure, grid = pyplot.subplots(
        len(cases), 2, figsize=(11, 3 * len(cases)), layout="constrained", squeeze=False
    )
    for (left, right), data in zip(grid, cases, strict=True):
        learners = rank(rows, data)
        lab = select_figures(rows, data, LAB, "MAPE %")
        for place, learner in enumerate(learners):
            errors = select_figures(rows, data, learner, "MAPE %")
            colour = _LAB_COLOUR if learner.startswith(LAB) else _COLOUR
            for axes, values in ((left, [*errors.values()]), (right, subtract(errors, lab))):
                axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.35, ms=4)
                spread = stdev(values) if len(values) > 1 else 0
                axes.errorbar(mean(values), place, xerr=spread, fmt="D", color=colour, capsize=3)
        left.set_yticks(range(len(learners)), learners)
        left.set_title(data, loc="left", fontsize=10)
        right.set_yticks(range(len(learners)), [""] * len(learners))
        right.axvline(0, color=_LAB_COLOUR, linewidth=1)
        for axes in (left, right):
            axes.invert_yaxis()  # the best on top
            axes.spines[["top", "right"]].set_visible(False)
    grid[-1][0].set_xlabel("MAPE, %")
    grid[-1][1].set_xlabel("MAPE less the lab's on the same split, points")
    figure.savefig(file, dpi=90)
    pyplot.close(figure)
