"""How good the prices are, beside those of what people would train instead."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.answers import WrongAnswer
from benchmarks.bench import Bench
from benchmarks.lineup import PEERS, ROOT, prepare_venv
from benchmarks.measurement import Say
from benchmarks.report import Result
from benchmarks.summary import Row

SPLITS = (42, 101, 202, 303, 404, 505)
# As many as the pipeline's own search tries.
_TRIALS, _QUICK_TRIALS = 15, 3


def measure_quality(bench: Bench) -> Result:
    """Both models and the peers, trained anew on the same splits; needs no wrk."""
    plan = bench.plan
    folder = PEERS / "quality"
    prepare_venv(folder)
    splits = SPLITS[: plan.rounds]
    trials = _QUICK_TRIALS if plan.quick else _TRIALS
    command = [str(folder / ".venv/bin/python"), "train.py", "--trials", str(trials), "--splits"]
    command += map(str, splits)
    for file in plan.data:
        command += ["--data", str(file.resolve())]
    plan.say(f"{len(splits)} splits; what is searched, by {trials} trials")
    rows, found = _run(command, folder, plan.say)
    check_splits(rows)
    remarks = [
        f"Splits {', '.join(map(str, splits))}: a fifth is held out, the same rows for all. "
        f"What is tuned was searched by {trials} trials on the rows that split 42 trains on."
    ]
    return Result("quality", "Prices, beside other learners", rows, remarks, settings=found)


def _run(command: Sequence[str], folder: Path, say: Say) -> tuple[list[Row], dict[str, str]]:
    # All of the environment, because a download may need its proxy and certificates.
    environment = os.environ | {"PYTHONPATH": str(ROOT / "service_b")}
    trainer = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        found = read_lines(trainer.stdout or (), say)
        if trainer.wait():
            raise subprocess.CalledProcessError(trainer.returncode, command[1])
        return found
    finally:
        # Whatever stopped it; its session is its own, so nobody else's process is in the group.
        with suppress(ProcessLookupError):
            os.killpg(trainer.pid, signal.SIGKILL)
        trainer.wait()


def read_lines(
    lines: Iterable[str], say: Say, clock: Callable[[], float] = time.monotonic
) -> tuple[list[Row], dict[str, str]]:
    """Read what the trainer prints, until it ends; say how far it is, and the time left."""
    rows: list[Row] = []
    found: dict[str, str] = {}
    work, done, started = 0.0, 0.0, clock()
    for each in map(json.loads, lines):
        if "work" in each:
            work = each["work"]
            continue
        rows += each["rows"]
        found |= each["found"]
        done += each["done"]
        if done:
            left = (clock() - started) * (work - done) / done
            say(f"{done / work:4.0%}, about {left / 60:.0f} min left: {each['title']}")
    return rows, found


def check_splits(rows: Sequence[Row]) -> None:
    """See that every learner priced the same rows.

    Raises:
        WrongAnswer: one was given others, or didn't price all splits.
    """
    held_out: dict[tuple[object, object], dict[object, object]] = {}
    for row in rows:
        own = held_out.setdefault((row["data"], row["learner"]), {})
        own[row["split"]] = row["held out"]
    for (data, learner), own in held_out.items():
        first = next(each for (other, _), each in held_out.items() if other == data)
        if own != first:
            raise WrongAnswer(f"{learner} did not price the same rows of {data} as others")
