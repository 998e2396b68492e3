"""The evaluation in words and tables: `report.md`."""

from collections.abc import Mapping, Sequence
from typing import Any

from predictor.card import Relation
from training.clusters import SAMPLE
from training.measures import MEASURES, Measures, format_table
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
        f"Measured on {metrics['rows']:,} rows held out, which neither the choice of the model nor "
        "its tuning has seen. The interval is meant to hold 90% of prices.",
        *(["They are the newest from the log: " + "; ".join(remarks) + "."] if remarks else []),
        format_table(
            {
                "all fields": metrics,
                "required fields only": metrics["required_fields_only"],
                "plain forest, all fields": metrics["random_forest_baseline"],
            }
        ),
        "Interval coverage in the cheapest, middle and dearest third: "
        + ", ".join(f"{each:.3f}" for each in metrics["interval_coverage_share_by_price_third"])
        + ".",
    ]
    if "other_splits" in metrics:
        parts += _describe_splits(metrics["other_splits"])
    parts += [
        "## The more is known",
        "Each optional field is known with this chance:",
        format_table(
            {
                f"{float(share):.0%}": measures
                for share, measures in metrics["by_share_of_optional_fields_known"].items()
            },
            ("mape_percent", "rmsle", "interval_coverage_share", "interval_relative_width"),
        ),
    ]
    for name, measured in slices.items():
        parts += [f"## {name}", _format_slice(measured)]
    parts += [
        "## Importance",
        "By how many points MAPE rises when a feature's values are shuffled:",
        "\n".join(
            ["| feature | rise |", "|---|---:|"]
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
        "| candidate | score | R² | MAPE, % | RMSLE | MAPE, required fields only, % |",
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
        "coordinates, and its distance from the centre of each. There are as many clusters as have "
        f"the greatest silhouette, which is measured on {SAMPLE:,} rows drawn with the seed. In "
        "the cross-validation each fold has clusters of its own, made of the rows it trains on; "
        "these are made of all training rows:",
        "\n".join(
            ["| clusters | inertia | silhouette | |", "|---:|---:|---:|---|"]
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


def _describe_splits(splits: Mapping[str, Any]) -> list[str]:
    columns = {
        f"{title}: {statistic}": {
            name: values[statistic] for name, values in splits[key].items() if name in MEASURES
        }
        for title, key in (("all", "all_fields"), ("required", "required_fields_only"))
        for statistic in ("mean", "deviation")
    }
    return [
        "## Other splits",
        f"The same, trained and measured anew on {splits['splits']} other random splits:",
        format_table(columns),
        "Mean coverage in the cheapest, middle and dearest third: "
        + ", ".join(f"{each:.3f}" for each in splits["interval_coverage_share_by_price_third"])
        + ".",
    ]


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
