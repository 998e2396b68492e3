"""The evaluation in words and tables: `report.md`."""

from collections.abc import Mapping, Sequence
from typing import Any

from predictor.card import Relation
from training.clusters import SAMPLE
from training.evaluation import SPLIT_SEED
from training.interval import COVERAGE
from training.measures import MEASURES, Measures, format_table, lead
from training.relations import LEAST_SHARE, is_confirmed

_SLICE_MEASURES = (
    "mape_percent",
    "median_ape_percent",
    "within_10_percent_share",
    "interval_coverage_share",
    "interval_relative_width",
)
_MOST_FEATURES = 20


def write_report(
    title: str,
    unit: str,
    metrics: Mapping[str, Any],
    slices: Mapping[str, Mapping[str, Measures]],
    importance: Mapping[str, float],
    candidates: Sequence[Mapping[str, Any]],
    clusters: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, Any],
    plots: Sequence[str],
    remarks: Sequence[str] = (),
    relations: Sequence[Relation] = (),
) -> str:
    """Give the report as Markdown. The figures are those in the card, where both have them."""
    parts = [
        f"# {title}: evaluation",
        *_lead_with_all_rows(metrics, unit),
        f"Measured on {metrics['rows']:,} rows held out, which neither the choice of the model nor "
        f"its tuning has seen. The interval is meant to hold {COVERAGE:.0%} of the prices.",
        *(["They are the newest from the log: " + "; ".join(remarks) + "."] if remarks else []),
        format_table(
            {
                "all fields": metrics,
                "required fields only": metrics["required_fields_only"],
                "plain forest, all fields": metrics["random_forest_baseline"],
            },
            unit,
        ),
        _say_thirds(metrics),
    ]
    if "five_fold" in metrics:
        parts += [
            *_describe_splits(metrics["other_splits"], unit),
            *_describe_limits(metrics, unit),
            *_describe_tuning(metrics["tuning"]),
        ]
    if "unusual" in metrics:
        parts += _describe_unusual(metrics["unusual"])
    parts += _describe_steps(metrics.get("steps", ()))
    parts += [
        "## The more is known",
        "Each optional field is known with this chance:",
        format_table(
            {
                f"{float(share):.0%}": measures
                for share, measures in lead(metrics)["by_share_of_optional_fields_known"].items()
            },
            unit,
            ("mape_percent", "rmsle", "interval_coverage_share", "interval_relative_width"),
        ),
    ]
    for name, measured in slices.items():
        parts += [f"## {name}", _format_slice(measured)]
    parts += [
        "## Importance",
        "How many points MAPE rises when a feature's values are shuffled:",
        "\n".join(
            ["| feature | rise, points |", "|---|---:|"]
            + [f"| {name} | {rise:.2f} |" for name, rise in [*importance.items()][:_MOST_FEATURES]]
        ),
        *_describe_candidates(candidates),
        *_describe_clusters(clusters),
        *_describe_relations(relations),
        "## Parameters",
        "\n".join(
            ["| parameter | value |", "|---|---|"]
            + [f"| {name} | {_say(value)} |" for name, value in parameters.items()]
        ),
    ]
    parts += [f"![{plot.removesuffix('.png')}]({plot})" for plot in plots]
    return "\n\n".join(parts) + "\n"


def format_candidates(candidates: Sequence[Mapping[str, Any]]) -> str:
    """Lay the candidates out, best first."""
    lines = [
        "| candidate | score, % | R² | MAPE, % | RMSLE | MAPE, required fields only, % |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for each in sorted(candidates, key=lambda each: float(each["score"])):
        whole, scant = each["all_fields"], each["required_fields_only"]
        lines.append(
            f"| {each['name']} | {each['score']:.3f} | {whole['r2']:.4f} | "
            f"{whole['mape_percent']:.2f} | {whole['rmsle']:.4f} | {scant['mape_percent']:.2f} |"
        )
    return "\n".join(lines)


def _describe_candidates(candidates: Sequence[Mapping[str, Any]]) -> list[str]:
    if not candidates:
        return []
    return [
        "## Candidates",
        "Compared by cross-validation on the training rows; the score is 0.75 MAPE with all "
        "fields and 0.25 MAPE with the required ones only.",
        format_candidates(candidates),
    ]


def _describe_clusters(clusters: Sequence[Mapping[str, Any]]) -> list[str]:
    if not clusters:
        return []
    return [
        "## Clusters",
        "What the candidates with clusters know of a place: its cluster, by k-means on the "
        "coordinates, and its distance from the centre of each. The number of clusters is the one "
        f"with the greatest silhouette, which is measured on {SAMPLE:,} rows drawn with the seed. "
        "The inertia is the sum of the squared distances from the centres, in the unit of the "
        "coordinates. In the cross-validation each fold has clusters of its own, made of the rows "
        "it trains on; these are made of all training rows:",
        "\n".join(
            ["| clusters | inertia | silhouette, -1 to 1 | |", "|---:|---:|---:|---|"]
            + [
                f"| {each['clusters']} | {each['inertia']:,.0f} | {each['silhouette']:.3f} | "
                f"{'chosen' if each['chosen'] else ''} |"
                for each in clusters
            ]
        ),
    ]


def _describe_relations(relations: Sequence[Relation]) -> list[str]:
    if not relations:
        return []
    lines = ["| relation | rows with all fields | rows that confirm it | |", "|---|---:|---:|---|"]
    for each in relations:
        end = "" if is_confirmed(each) else "left out"
        lines.append(f"| {each.says} | {each.rows:,} | {each.confirmed:,} | {end} |")
    return [
        "## Relations",
        "An input that contradicts one of these is priced with a warning. Those that fewer than "
        f"{LEAST_SHARE:.1%} of the rows confirm are left out.",
        "\n".join(lines),
    ]


def _lead_with_all_rows(metrics: Mapping[str, Any], unit: str) -> list[str]:
    if "five_fold" not in metrics:
        return []
    found = metrics["five_fold"]
    dominant = found["dominant_rows"]
    rows = " and ".join(
        f"row {each['row']:,} (actual {each['price']:,.0f} {unit}, predicted "
        f"{each['predicted']:,.0f})"
        for each in dominant["rows"]
    )
    columns = {
        f"{title}: {statistic}": figures
        for title, whole, key in (
            ("all fields", found, "all_fields"),
            ("required only", found["required_fields_only"], "required_fields_only"),
        )
        for statistic, figures in (
            ("all rows", whole),
            ("deviation of folds", _take(found["spread"][key], "deviation")),
        )
    }
    return [
        f"Every one of {found['rows']:,} rows was predicted once, by a model trained on the other "
        f"{found['folds'] - 1} of {found['folds']} parts. Half of the prices were off by less than "
        f"{found['median_ape_percent']:.1f}%, and {1 - found['within_10_percent_share']:.1%} by "
        "more than 10%. These are the figures to expect; the deviation says how much they differ "
        "from part to part:",
        format_table(columns, unit),
        _say_thirds(found),
        f"The rows with the largest errors are {rows}: they account "
        f"for {dominant['share_of_squared_error']:.1%} of all squared error. Without them R² is "
        f"{dominant['r2_without_them']:.4f}.",
        "## The fixed split",
        f"This is a single draw, made with seed {SPLIT_SEED}; *Other splits* shows how lucky it "
        "was. The steps, the importance of features and the errors by price, place and year are "
        "measured on it, too.",
    ]


def _describe_splits(splits: Mapping[str, Any], unit: str) -> list[str]:
    columns = {
        f"{title}: {statistic}": _take(splits[key], statistic)
        for title, key in (("all", "all_fields"), ("required", "required_fields_only"))
        for statistic in ("mean", "deviation")
    }
    better = {
        name: round(share * splits["splits"])
        for name, share in splits["share_of_splits_better_than_the_fixed_one"].items()
    }
    return [
        "## Other splits",
        f"Trained and measured anew on {splits['splits']} random splits, none left out:",
        format_table(columns, unit),
        f"The fixed split above is one draw like these: {better['mape_percent']} of the "
        f"{splits['splits']} have a smaller MAPE, and {better['r2']} have a larger R².",
    ]


def _describe_limits(metrics: Mapping[str, Any], unit: str) -> list[str]:
    """Say how good prices are where new rows aren't like a random draw of the old ones."""
    found, places, later = metrics["five_fold"], metrics["new_places"], metrics["later"]
    columns = {
        "all rows, random parts": found,
        f"new places ({places['places']} in all)": places,
        f"required only, new places ({places['places']})": places["required_fields_only"],
    }
    if later:
        columns[f"{later['feature']} from {later['from']:g}"] = later
    return [
        "## Limits",
        "Here each row was predicted by a model trained without any row of its place, or of its "
        "time. This is what to expect in a place or a year that isn't in the data:",
        format_table(columns, unit),
        f"The intervals are meant to hold {COVERAGE:.0%} of the prices. In new places they hold "
        f"{places['interval_coverage_share']:.1%}"
        + (f", in the later time {later['interval_coverage_share']:.1%}." if later else "."),
    ]


def _describe_unusual(unusual: Mapping[str, Any]) -> list[str]:
    widening = unusual["widening"]
    return [
        "## Unusual inputs",
        "A prediction says what share of the training rows are as unusual as its input. To see how "
        "well that works, each column of the rows held out is shuffled on its own, which makes "
        f"rows that can't exist. In {unusual['auc']:.2%} of all pairs, the real row is more usual "
        f"than the shuffled one (AUC {unusual['auc']:.4f}). {unusual['warned_share']:.1%} of the "
        f"real rows and {unusual['scrambled_warned_share']:.1%} of the shuffled ones get a "
        "warning; no training row does. The interval of an unusual input is wider: half of it, on "
        "the log scale, is multiplied by:",
        "\n".join(
            ["| share as unusual | factor |", "|---:|---:|"]
            + [f"| {each['typical']:.2%} | {each['factor']:.2f} |" for each in widening]
        ),
    ]


def _describe_tuning(tuning: Mapping[str, Any]) -> list[str]:
    if not tuning["changed"]:
        return ["## Tuning", "The search found nothing better than what it began with."]
    change, error = tuning["score_change"], tuning["score_change_standard_error"]
    verdict = "a gain" if tuning["brings_something"] else "no gain that is certain"
    return [
        "## Tuning",
        f"On the same five folds, tuning changes the candidate's score of "
        f"{tuning['untuned_score']:.3f} by {change:+.3f} (standard error {error:.3f}): {verdict}.",
    ]


def _describe_steps(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    if not steps:
        return []
    down = [each for each in steps if each["mean_change_percent"] < 0]
    return [
        "## Steps",
        "How much the price changes on average when one field alone goes up a step in all rows "
        "held out. People expect it to rise. "
        + (
            f"It doesn't always: {len(down)} of {len(steps)} steps "
            f"{'goes' if len(down) == 1 else 'go'} down."
            if down
            else f"None of the {len(steps)} steps goes down."
        )
        + (
            " Where the change is 0, the model treats both values alike, because one of them is "
            "rare."
            if any(each["mean_change_percent"] == 0 for each in steps)
            else ""
        ),
        "\n".join(
            ["| field | from | to | change, % |", "|---|---:|---:|---:|"]
            + [
                f"| {each['feature']} | {_say(each['from'])} | {_say(each['to'])} | "
                f"{each['mean_change_percent']:+.2f} |"
                for each in steps
            ]
        ),
    ]


def _take(summary: Mapping[str, Measures], statistic: str) -> Measures:
    return {name: values[statistic] for name, values in summary.items() if name in MEASURES}


def _say_thirds(measured: Mapping[str, Any]) -> str:
    shares = measured["interval_coverage_share_by_price_third"]
    return (
        "Interval coverage in the cheapest, middle and dearest third: "
        + ", ".join(f"{each:.3f}" for each in shares)
        + "."
    )


def _format_slice(measured: Mapping[str, Measures]) -> str:
    labels = [MEASURES[name][0] for name in _SLICE_MEASURES]
    lines = [f"| | rows | {' | '.join(labels)} |", "|---|---:|" + "---:|" * len(labels)]
    for part, measures in measured.items():
        cells = [format(measures[name], MEASURES[name][1]) for name in _SLICE_MEASURES]
        lines.append(f"| {part} | {measures['rows']:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _say(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_say(each)}" for name, each in value.items())
    return str(value)
