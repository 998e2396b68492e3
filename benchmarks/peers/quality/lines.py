"""What is printed for `benchmarks/quality.py`: a line of JSON for each end of a training."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tables import Case

from training.measures import measure

Row = dict[str, Any]


def report(
    done: float, title: str, *, rows: Sequence[Row] = (), found: Mapping[str, str] | None = None
) -> None:
    """Say that a piece of the work came to an end, of about `done` seconds, and what came of it."""
    line = {"done": done, "title": title, "rows": list(rows), "found": dict(found or {})}
    # One write: several processes share the output.
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def make_row(case: Case, learner: str, split: int, priced: Any, seconds: float) -> Row:
    """Compare prices of the rows held out with what was paid; say by a digest which they were."""
    _, unseen = case.table.split(split)
    measures = measure(case.table.data.prices[unseen], priced)
    return {
        "data": case.name,
        "learner": learner,
        "split": split,
        "held out": hashlib.sha256(unseen.astype(np.int64).tobytes()).hexdigest()[:12],
        "MAPE %": measures["mape_percent"],
        "R²": measures["r2"],
        "seconds": round(seconds, 2),
    }
