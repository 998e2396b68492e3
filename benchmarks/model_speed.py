"""What the models alone take, without any server."""

import json
import subprocess

from benchmarks.bench import Bench
from benchmarks.lineup import PEERS, ROOT
from benchmarks.report import Result


def measure_model(bench: Bench) -> Result:
    """The models in process, fast path and pipeline: one house alone, and 1,000 at once."""
    quick = bench.plan.quick
    folder = ROOT / "service_b"
    finished = subprocess.run(
        [folder / ".venv/bin/python", PEERS / "model_timer.py", "100" if quick else "1000"],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{ROOT}"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    rows = [json.loads(line) for line in finished.stdout.splitlines()]
    remark = "From checked inputs to prices with their intervals; medians, per house."
    return Result("model", "Models in process", rows, [remark])
