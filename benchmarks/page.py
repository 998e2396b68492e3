"""The results of all parts as one page: a question for each, and the few figures that answer it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

from benchmarks.measurement import count_connections
from benchmarks.paired import compare_with_lab
from benchmarks.report import write_table
from benchmarks.summary import Row
from benchmarks.tricks import LEAST_GAIN

_BEGINNING = """\
# Results

`benchmarks/run.sh` writes this page from the JSON files beside it, which hold every sample, the
settings of each server and the versions of all packages. Figures are medians of the rounds. How it
is measured, and what bounds it: [Benchmarks](../README.md).
"""


_LINE = 120
_AT_EACH = ("requests/s", "p50 ms")
_AT_MOST = ("CPU µs per request", "memory MiB", "speed / echo")


@dataclass(frozen=True)
class Section:
    """A part's question, how to read the answer, and the table that gives it."""

    part: str
    question: str
    guide: str
    make_table: Callable[[Sequence[Row]], Sequence[Row]]


def write_page(folder: Path) -> None:
    """Write `README.md` anew from the JSON files of all parts that were run."""
    page = [_BEGINNING]
    for section in SECTIONS:
        file = folder / f"{section.part}.json"
        if file.exists():
            page += _write_section(section, json.loads(file.read_text(encoding="utf-8")), folder)
    (folder / "README.md").write_text("\n".join(page), encoding="utf-8")


def make_table(part: str, rows: Sequence[Row]) -> Sequence[Row]:
    """Make the table in which the page shows the rows of a part."""
    return next(each for each in SECTIONS if each.part == part).make_table(rows)


def _write_section(section: Section, result: dict[str, Any], folder: Path) -> list[str]:
    lines = [f"## {section.question}", "", fill(section.guide, _LINE), ""]
    lines += [*write_table(section.make_table(result["rows"])), ""]
    if (folder / f"{section.part}.png").exists():
        lines += [f"![{result['title']}]({section.part}.png)", ""]
    remarks = list(result["remarks"])
    if failures := sum(row.get("failures", 0) for row in result["rows"]):
        remarks.append(f"**{failures:,} requests failed.**")
    facts = result["facts"]
    rounds = f", rounds: {facts['rounds']}" if result["samples"] else ""
    made = f"{facts['date'][:10]}, revision {facts['revision']}, {facts['processor']}{rounds}"
    return [*lines, fill(" ".join([*remarks, f"({made})"]), _LINE), ""]


def _compare(rows: Sequence[Row]) -> list[Row]:
    """Make a row for each subject, with what counts at fewest and at most connections."""
    table = []
    for what in dict.fromkeys(row["what"] for row in rows):
        own = [row for row in rows if row["what"] == what]  # from few connections to many
        made: Row = {"what": what}
        for row in (own[0], own[-1]):
            made |= {f"{name}, {_write_connections(row)}": row[name] for name in _AT_EACH}
        made |= {name: own[-1][name] for name in _AT_MOST}
        table.append(made)
    return table


def _vary(
    rows: Sequence[Row], *, figure: str = "requests/s", also: Sequence[str] = ()
) -> list[Row]:
    """Make a row for each variation, with a column for each subject and number of connections.

    What a row calls itself ends with what varies. `also` is taken from a variation's first row.
    """
    table: dict[str, Row] = {}
    for row in rows:
        subject, _, variation = str(row["what"]).rpartition(", ")
        made = table.setdefault(variation, {"": variation, **{name: row[name] for name in also}})
        made[f"{subject}, {_write_connections(row)}"] = row[figure]
    return list(table.values())


def _write_connections(row: Row) -> str:
    return count_connections(int(row["connections"]))


def _write_gains(rows: Sequence[Row]) -> list[Row]:
    """Make a row for each trick, with its gain under each load that it was measured with."""
    loads = list(dict.fromkeys(str(row["load"]) for row in rows))
    table = []
    for trick, group in groupby(rows, key=lambda row: row["trick"]):
        own = {str(row["load"]): row for row in group}
        first = next(iter(own.values()))
        gains = {load: _write_gain(own[load]) if load in own else "" for load in loads}
        table.append(
            {"trick": f"`{trick}`"}
            | {name: first[name] for name in ("what it does", "module", "plain twin")}
            | gains
            | {"": "" if any(map(_gains, own.values())) else "**under 5%: goes**"}
        )
    return table


def _gains(row: Row) -> bool:
    """Whether the speed or the processor time gains enough, and something in every round."""
    speed = float(row["speed"]) >= 1 + LEAST_GAIN and float(row["speed, lowest"]) > 1
    return speed or (float(row["CPU"]) <= 1 - LEAST_GAIN and float(row["CPU, highest"]) < 1)


def _write_gain(row: Row) -> str:
    speed, cpu = float(row["speed"]), float(row["CPU"])
    faster = f"{speed - 1:+.0%}" if speed < 2 else f"{speed:,.1f} times"
    text = f"{faster}, CPU {cpu - 1:+.0%}"
    return f"**{text}**" if _gains(row) else text


def _summarise_health(rows: Sequence[Row]) -> list[Row]:
    table: list[Row] = []
    for load in dict.fromkeys(row["load"] for row in rows):
        own = [row for row in rows if row["load"] == load]
        medians = {
            name: round(median(float(row[name]) for row in own), 2) for name in ("p50 ms", "p99 ms")
        }
        longest = max(float(row["longest ms"]) for row in own)
        table.append({"load": load, **medians, "longest ms": longest})
    return table


SECTIONS = [
    Section(
        "compare",
        "How fast are both services, beside the most that Python can do?",
        "In two hops Service A logs a house, asks Service B and answers; in one hop a caller asks"
        " Service B itself. The FastAPI echo only checks the body and gives it back. CPU, memory"
        " and the last column are those at most connections; `A + B` is Service A and Service B.",
        _compare,
    ),
    Section(
        "peers",
        "What would model servers do that people pick instead?",
        "The same model, behind one hop, beside the two hops of the lab. The chart is logarithmic.",
        _compare,
    ),
    Section(
        "tricks",
        "What does each trick for speed gain?",
        "Speed and processor time per request of the fast piece, compared with its plain twin in"
        " the same rounds, all else equal. A gain in bold is 5% or more, and there is some in"
        " every round. A trick with none in bold goes. `1` is `LAB_PLAIN=1`: all of them.",
        _write_gains,
    ),
    Section(
        "revisions",
        "Is the working tree slower than an earlier revision?",
        "Both in the same rounds; `rounds` is the lowest and the highest change in one of them.",
        list,
    ),
    Section(
        "watchers",
        "What does it cost that somebody may watch, or does?",
        "`off` is a Service A with `GATEWAY_LAB_PAGE=0`; speed and processor time per request are"
        " compared with it in the same rounds. Whoever watches reads as fast as the events come,"
        " on the same two cores.",
        list,
    ),
    Section(
        "traces",
        "What does it cost to send traces?",
        "Speed and processor time per request of both services are compared with those without"
        " traces, in the same rounds. What receives the spans counts them on the same two cores,"
        " and takes all. `/process` makes five in Service A, and Service B three for each call;"
        " with fewer than five per request, Service A has dropped some, because it makes more than"
        " its thread can send. A trace of 1 in 100 requests is what a sampler keeps.",
        list,
    ),
    Section(
        "shadow",
        "What does a challenger in the shadow cost callers?",
        "Service B alone; the challenger is a copy of the model that answers. Speed and the 99th"
        " percentile are compared with those without a challenger in the same rounds, with the"
        " lowest and the highest change. Callers without pauses leave a shadow no time: nearly all"
        " of its inputs are dropped.",
        list,
    ),
    Section(
        "scale",
        "Do workers and copies share the work?",
        "Each worker or copy of the service that is named gets part of a processor, and no more, so"
        " that two cores have room for three of them and for all else: the other service, the"
        " database and the callers. `times one` is taken within the same rounds. The 48 callers are"
        " shared out: three copies of Service A have 16 each, so each logs and forwards fewer"
        " inputs at a time, and may need more of its processor for a request. Where `processor"
        " used` is less than all of them may use, some had nothing to do for part of the time.",
        list,
    ),
    Section(
        "batches",
        "How does it grow with batches?",
        "Houses per second.",
        partial(_vary, figure="houses/s"),
    ),
    Section("fields", "What does it cost to send more of a house?", "Requests per second.", _vary),
    Section(
        "workers",
        "What do more processes of Service A bring?",
        "Requests per second, and the memory of Service A and Service B.",
        partial(_vary, also=["memory MiB"]),
    ),
    Section(
        "replicas",
        "What do more processes of Service B bring?",
        "Requests per second, and the memory of Service A and Service B.",
        partial(_vary, also=["memory MiB"]),
    ),
    Section("log-size", "Does a long log slow it down?", "Requests per second.", _vary),
    Section(
        "memory",
        "Does memory stay flat?",
        "At the start, warm, and at the end of a long load.",
        lambda rows: [rows[0], rows[1], rows[-1]],
    ),
    Section(
        "health",
        "How long does `/health` of Service A take under load?",
        "It writes to the log's disk, unless an input was logged just before.",
        _summarise_health,
    ),
    Section("start", "How long does a start take?", "From start to healthy.", list),
    Section("model", "What does the model alone take?", "In process, per house.", list),
    Section(
        "quality",
        "How good are the prices, beside what other learners give?",
        "Each is trained anew on four fifths of the rows and prices the rest, on the same splits."
        " Figures are means over the splits ± their standard deviation. Differences from the lab"
        " are taken within each split: above 0, MAPE is worse than the lab's, and R² better."
        " Splits share rows, so they spread less than new data would. `untuned` is the lab"
        " before its own search. Seconds are those of one core.",
        compare_with_lab,
    ),
]
