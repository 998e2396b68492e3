"""A comparison of two versions in words, in a table and in a picture."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from training.comparison import CONFIDENCE, Comparison, Difference
from training.errors import TrainingError
from training.plots import BLUE, GREY

REPORT, PICTURE = "report.md", "comparison.png"


def describe_comparison(comparison: Comparison) -> str:
    """Say which version is better, if one is by more than chance; lay out the rest."""
    first, second = comparison.versions
    lines = [
        _say_verdict(comparison),
        "",
        f"| actual price, {comparison.unit} | sales | MAPE of {first}, % | MAPE of {second}, % "
        "| change, points (95% interval) | |",
        "|---|---:|---:|---:|---:|---|",
        *map(_write_row, [*comparison.bands, comparison.whole]),
        "",
    ]
    for version, coverage in zip(comparison.versions, comparison.coverages, strict=True):
        if coverage is not None:
            share, (low, high) = coverage
            lines.append(
                f"- Intervals of version {version} hold {share:.3f} of the prices "
                f"({low:.3f} to {high:.3f})."
            )
    if comparison.left_out:
        lines.append(
            f"- {comparison.left_out:,} inputs are left out: a version may have been trained on "
            "them."
        )
    if comparison.knows_more is not None:
        lines.append(
            f"- Only version {comparison.knows_more} was trained on all rows of the data: of sales "
            "that are in the data, such as those of `market`, it has learnt the prices by heart."
        )
    return "\n".join(lines)


def write_comparison(comparison: Comparison, title: str, folder: Path) -> Path:
    """Write the report and its picture; give its path.

    Raises:
        TrainingError: it can't be written.
    """
    first, second = comparison.versions
    heading = f"# {title}: version {second} against {first}"
    text = [heading, describe_comparison(comparison), f"![comparison]({PICTURE})"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _draw(comparison, folder / PICTURE)
        (folder / REPORT).write_text("\n\n".join(text) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder / REPORT


def _say_verdict(comparison: Comparison) -> str:
    (first, second), whole = comparison.versions, comparison.whole
    span = f"{CONFIDENCE:.0%} interval {whole.low:+.2f} to {whole.high:+.2f}"
    measured = f"MAPE changes by {whole.change:+.2f} points ({span})"
    sales = f"on {whole.sales:,} sales"
    if whole.verdict == "chance":
        return (
            f"No difference that is more than chance between versions {first} and {second} "
            f"{sales}: {measured}."
        )
    return (
        f"Version {second} is {whole.verdict} than version {first} {sales}, by more than chance: "
        f"{measured}."
    )


def _write_row(row: Difference) -> str:
    first, second = row.mape_percent
    return (
        f"| {row.name} | {row.sales:,} | {first:.2f} | {second:.2f} | "
        f"{row.change:+.2f} ({row.low:+.2f} to {row.high:+.2f}) | {row.verdict} |"
    )


def _draw(comparison: Comparison, file: Path) -> None:
    mpl.use("Agg")
    first, second = comparison.versions
    rows = [comparison.whole, *reversed(comparison.bands)]
    figure = Figure(figsize=(6.4, 1.2 + 0.4 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        axes.plot([row.low, row.high], [place, place], color=BLUE)
        axes.plot(row.change, place, "o", color=BLUE)
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(rows)), [f"{row.name} ({row.sales:,})" for row in rows], fontsize=8)
    axes.set(
        title=f"By actual price in {comparison.unit}, with number of sales",
        xlabel=f"MAPE of version {second} less that of {first}, points: left of 0 it is better",
    )
    figure.savefig(file, dpi=80)
