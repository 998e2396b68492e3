"""Learners beside the lab's own model: figures over the splits, and differences within each."""

from collections.abc import Iterable, Sequence
from statistics import mean, stdev

from benchmarks.summary import Row

LAB = "the lab"
"""Name of the learner that the others are compared with."""

Figures = dict[int, float]
"""A figure for each split."""


def select_figures(rows: Sequence[Row], data: str, learner: str, figure: str) -> Figures:
    """Give a learner's figure for each split."""
    return {
        int(row["split"]): float(row[figure])
        for row in rows
        if (row["data"], row["learner"]) == (data, learner)
    }


def subtract(own: Figures, others: Figures) -> list[float]:
    """Take differences, each within one split; both have the same splits."""
    if own.keys() != others.keys():
        raise ValueError(f"splits differ: {sorted(own)} and {sorted(others)}")
    return [own[split] - others[split] for split in own]


def compare_with_lab(rows: Sequence[Row]) -> list[Row]:
    """Make a row for each learner and data, the best first: mean ± standard deviation."""
    table: list[Row] = []
    for data in dict.fromkeys(str(row["data"]) for row in rows):
        for learner in rank(rows, data):
            errors, r2, seconds = (
                select_figures(rows, data, learner, figure)
                for figure in ("MAPE %", "R²", "seconds")
            )
            more = subtract(errors, select_figures(rows, data, LAB, "MAPE %"))
            more_r2 = subtract(r2, select_figures(rows, data, LAB, "R²"))
            others = learner != LAB
            table.append(
                {
                    "data": data,
                    "learner": learner if others else f"**{LAB}**",
                    "MAPE %": _spread(errors.values(), ".2f"),
                    "R²": _spread(r2.values(), ".3f"),
                    "MAPE less the lab's": _spread(more, "+.2f") if others else "",
                    "R² less the lab's": _spread(more_r2, "+.3f") if others else "",
                    "splits where MAPE is smaller": _count(more) if others else "",
                    "seconds to train": f"{mean(seconds.values()):,.1f}",
                }
            )
    return table


def rank(rows: Sequence[Row], data: str) -> list[str]:
    """Give the learners, the smallest mean MAPE first."""
    learners = dict.fromkeys(str(row["learner"]) for row in rows if row["data"] == data)
    return sorted(
        learners, key=lambda name: mean(select_figures(rows, data, name, "MAPE %").values())
    )


def _spread(figures: Iterable[float], form: str) -> str:
    values = list(figures)
    text = format(mean(values), form)
    return f"{text} ± {stdev(values):{form.removeprefix('+')}}" if len(values) > 1 else text


def _count(differences: Sequence[float]) -> str:
    return f"{sum(each < 0 for each in differences)} of {len(differences)}"
