"""The journal of a search: one line of JSON for each trial that was measured."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic.dataclasses import dataclass

from training.errors import TrainingError

Values = Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """What was measured: the score after each fold, and in the end unless that was stopped."""

    values: Values
    reports: Sequence[float]
    score: float | None


class Journal:
    """The trials measured so far, by their values.

    A trial is written when it is finished. So a process that ends at any time loses the trial
    under way, and may leave half a line at the end, which the next one takes away.

    Raises:
        TrainingError: the file can't be read or written, or isn't a journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes() if path.exists() else b""
            lines = content.splitlines(keepends=True)
            if lines and not lines[-1].endswith(b"\n"):
                os.truncate(path, len(content) - len(lines.pop()))
                print(f"    note: the last line of {path} was cut off; its trial is made again")
        except OSError as error:
            raise self._describe(error) from error
        self._trials: dict[frozenset[tuple[str, float]], Trial] = {}
        for number, line in enumerate(lines, start=1):
            try:
                self._keep(Trial(**json.loads(line)))
            except (TypeError, ValueError) as error:
                raise TrainingError(
                    f"cannot use {path}: line {number} is not a trial; "
                    "delete it to begin the search anew"
                ) from error

    def find(self, values: Values) -> Trial | None:
        return self._trials.get(frozenset(values.items()))

    def append(self, trial: Trial) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(json.dumps(asdict(trial)).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._describe(error) from error
        self._keep(trial)

    def _keep(self, trial: Trial) -> None:
        self._trials[frozenset(trial.values.items())] = trial

    def _describe(self, error: OSError) -> TrainingError:
        return TrainingError(f"cannot use {self._path}: {error.strerror or error}")
