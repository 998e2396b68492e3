"""Times both shipped models in process: `python model_timer.py HOUSES`, as Service B is run.

A line of JSON for each model and way: the medians, in µs per house.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.houses import make_houses
from predictor.inference.registered_model import load_registered
from predictor.versions.repository import ModelRepository


def time_calls(call: Callable[[Sequence[Any]], object], batches: Sequence[Sequence[Any]]) -> float:
    """Give the median of the calls, per house."""
    call(batches[0])
    took = []
    for batch in batches:
        begun = time.perf_counter()
        call(batch)
        took.append((time.perf_counter() - begun) * 1e6 / len(batch))
    return round(median(took), 1)


for name in ("ames", "california"):
    with ModelRepository(str(Path("models", name).resolve())).find().open() as folder:
        fast = load_registered(name, folder)
        plain = load_registered(name, folder, fast_path=False)
    houses = make_houses(fast.metadata, int(sys.argv[1]))
    inputs = [fast.input_type.model_validate(house) for house in houses]
    for way, model in (("fast path", fast), ("pipeline", plain)):
        alone = time_calls(model.predict, [[each] for each in inputs])
        together = time_calls(model.predict, [inputs] * 5)
        row = {"what": f"{name}, {way}", "alone µs": alone, f"in {len(inputs):,} µs": together}
        print(json.dumps(row, ensure_ascii=False))
