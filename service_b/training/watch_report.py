"""The findings of `watch` in words and tables: for people, and as JSON."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import TrainingError
from training.live_quality import Quality
from training.watch import ALPHA, PSI_BOUND, Findings, measure_prices
from training.watch_plots import draw_drift, draw_prices, draw_quality

REPORT = "report.md"
_LEAST_DRAWN, _MOST_DRAWN = 3, 20
_MOST_ROWS = 20


def write_report(findings: Findings, folder: Path) -> Path:
    """Write the report and its pictures; give its path.

    Raises:
        TrainingError: it can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for former in folder.glob("drift-*.png"):
            former.unlink()
        text = "\n\n".join(_describe(findings, folder)) + "\n"
        (folder / REPORT).write_text(text, encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder / REPORT


def say_verdict(findings: Findings) -> str:
    """Say which bounds were passed."""
    if not findings.alarms:
        return "No bound was passed."
    return "\n".join(["Bounds were passed:", "", *(f"- {alarm}" for alarm in findings.alarms)])


def to_json(findings: Findings) -> dict[str, Any]:
    """Give all that was found, for programs."""
    inputs = findings.inputs
    return {
        "model": findings.card.name,
        "version": findings.card.version,
        "inputs": len(inputs.logged) + inputs.refused,
        "alarms": findings.alarms,
        "fields": [
            {
                "name": each.feature.name,
                "known": each.known,
                "unknown_share": round(each.unknown, 4),
                "unknown_share_in_training": each.training.unknown,
                "psi": round(each.psi, 4),
                "p_value": each.p_value,
                "corrected_p_value": findings.p_values.get(each.feature.name),
                "drifted": findings.has_drifted(each),
            }
            for each in findings.drifts
        ],
        "refused": dict(inputs.refusals.most_common()),
        "never_seen": [
            {"field": name, "value": value, "inputs": count}
            for (name, value), count in inputs.never_seen.most_common()
        ],
        "quality": vars(findings.quality) if findings.quality else None,
        "weeks": {week: vars(quality) for week, quality in findings.weeks.items()},
        "prices": {
            week: {"inputs": len(prices), "median": round(float(np.median(prices)), 2)}
            for week, prices in measure_prices(findings).items()
        },
    }


def _describe(findings: Findings, folder: Path) -> Iterable[str]:
    card, inputs = findings.card, findings.inputs
    yield f"# {card.title}: the inputs watched"
    times = [each.received_at for each in inputs.logged]
    span = f", received {min(times):%Y-%m-%d} to {max(times):%Y-%m-%d}" if times else ""
    total = len(inputs.logged) + inputs.refused
    yield f"{total:,} inputs{span}, held against {card.name} version {card.version}."
    yield say_verdict(findings)
    yield "## Fields"
    yield (
        f"Known values against those of training, the strongest drift first. A field has drifted "
        f"if its corrected p-value is below {ALPHA:g} and its PSI is at least {PSI_BOUND:g}. "
        "Unknown values are counted only: the model takes a description with few facts, too."
    )
    yield _format_table(
        (
            "field",
            "drifted",
            "PSI",
            "corrected p-value",
            "known, inputs",
            "unknown",
            "unknown in training",
        ),
        [
            (
                each.feature.name,
                "yes" if findings.has_drifted(each) else "",
                f"{each.psi:.3f}" if each.known else "",
                _say_chance(findings.p_values.get(each.feature.name)),
                f"{each.known:,}",
                f"{each.unknown:.1%}",
                f"{each.training.unknown:.1%}",
            )
            for each in findings.drifts
        ],
    )
    drifted = sum(map(findings.has_drifted, findings.drifts))
    drawn = findings.drifts[: min(max(drifted, _LEAST_DRAWN), _MOST_DRAWN)]
    yield from (_show(draw_drift(folder, each)) for each in drawn if each.known)
    yield from _describe_refused(findings)
    weeks = measure_prices(findings)
    if weeks:
        yield "## Predicted prices"
        yield _show(draw_prices(folder, weeks, findings.card.target.unit))
    yield from _describe_quality(findings, folder)


def _describe_refused(findings: Findings) -> Iterable[str]:
    inputs = findings.inputs
    yield "## Refused inputs"
    yield f"{inputs.refused:,} inputs aren't such as the model takes."
    if inputs.refusals:
        rows = [(f"`{_quote(reason)}`", f"{n:,}") for reason, n in inputs.refusals.most_common()]
        yield _format_table(("reason", "inputs"), rows[:_MOST_ROWS])
    if inputs.never_seen:
        yield "Categories that training has never seen:"
        seen = inputs.never_seen.most_common(_MOST_ROWS)
        cells = [(name, f"`{_quote(value)}`", f"{n:,}") for (name, value), n in seen]
        yield _format_table(("field", "value", "inputs"), cells)


def _describe_quality(findings: Findings, folder: Path) -> Iterable[str]:
    yield "## Quality"
    if not findings.quality:
        yield "No input that this version has priced has an actual price."
        return
    yield (
        "Of the inputs that this version has priced and that were sold since, by the week in which "
        "they came. The promise is that of the card, for as much as was known of each."
    )
    rows = [*findings.weeks.items(), ("all", findings.quality)]
    yield _format_table(
        (
            "week",
            "sales",
            "MAPE, %",
            "promised MAPE, %",
            "median APE, %",
            "bias, %",
            "share within 10%",
            "coverage, share (95% interval)",
        ),
        [(week, *_say_quality(quality)) for week, quality in rows],
    )
    interval = findings.card.interval
    yield _show(draw_quality(folder, findings.weeks, interval.coverage if interval else None))


def _say_quality(quality: Quality) -> Sequence[str]:
    coverage = ""
    if quality.coverage is not None and quality.coverage_interval is not None:
        low, high = quality.coverage_interval
        coverage = f"{quality.coverage:.3f} ({low:.3f} to {high:.3f})"
    return (
        f"{quality.sales:,}",
        f"{quality.mape_percent:.2f}",
        f"{quality.promised_mape_percent:.2f}",
        f"{quality.median_ape_percent:.2f}",
        f"{quality.bias_percent:+.2f}",
        f"{quality.within_10_percent_share:.3f}",
        coverage,
    )


def _say_chance(p_value: float | None) -> str:
    return "too few" if p_value is None else "< 0.0001" if p_value < 0.0001 else f"{p_value:.4f}"


def _format_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _show(picture: str) -> str:
    return f"![{picture.removesuffix('.png')}]({picture})"


def _quote(text: str) -> str:
    """Let a text that anybody may have sent end neither the cell nor the code it stands in."""
    return text.replace("`", "'").replace("|", "/")
