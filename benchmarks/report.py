"""What a part found, as JSON, and rows as a table."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.machine import Facts
from benchmarks.measurement import Sample
from benchmarks.summary import Row


@dataclass(frozen=True)
class Result:
    """The table of one part, the samples behind it, and what a reader has to know."""

    part: str
    title: str
    rows: Sequence[Row]
    remarks: Sequence[str] = ()
    samples: Sequence[Sample] = ()
    settings: dict[str, str] = field(default_factory=dict)


def write_result(folder: Path, result: Result, facts: Facts) -> None:
    """Write `<part>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(result) | {"facts": facts}, indent=1, ensure_ascii=False)
    (folder / f"{result.part}.json").write_text(text + "\n", encoding="utf-8")


def write_table(rows: Sequence[Row]) -> list[str]:
    """Write rows with the same keys as a Markdown table."""
    columns = list(rows[0])
    numeric = [not isinstance(rows[0][column], str) for column in columns]
    return [
        _join(columns),
        _join("---:" if each else "---" for each in numeric),
        *(_join(_write(row[column]) for column in columns) for row in rows),
    ]


def _join(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _write(value: str | float | int) -> str:
    return value if isinstance(value, str) else f"{value:,}"
