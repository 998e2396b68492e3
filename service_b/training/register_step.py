"""The last step: trains on all rows that the version may see, and registers it."""

import json
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from training import tracking
from training.evaluation import Trained, train
from training.features import describe_rows, to_request
from training.golden import choose_golden
from training.labelled import KEPT
from training.parameters import Parameters
from training.provenance import describe_libraries, describe_training, write_description
from training.registration import REPORT, find_registered, register
from training.relations import is_confirmed
from training.run import TRAINED, Run
from training.versions import find_champion
from training.workspace import write_json


def register_version(run: Run, folder: Path) -> None:
    """Train on all rows that the version may see, and write it as the next one."""
    recipe, options = run.recipe, run.options
    prepared, features = run.prepared
    parameters = Parameters.from_json(run.read_json("tune", "parameters.json"))
    example = prepared.frame.iloc[recipe.example_row].to_dict()
    data = run.take("version")
    rows = pd.DataFrame(data.inputs, columns=[each.name for each in data.features])
    training = describe_training(run, parameters)
    contents: dict[str, Any] = {
        "name": recipe.name,
        "title": recipe.title,
        "description": write_description(recipe.description, training),
        "target": recipe.target,
        "features": describe_rows(features, rows),
        "relations": tuple(each for each in run.relations if is_confirmed(each)),
        "metrics": run.read_json("evaluate", "metrics.json"),
        "training": training,
        "libraries": describe_libraries(),
        "example": to_request(features, example),
    }
    version = _find_unrecorded(run, contents)
    if version is None:
        _locate_start(run).write_text(training.trained_at.isoformat(), encoding="utf-8")
        trained = _find_trained(run) or train(recipe, data, options.seed, parameters)
        contents["golden"] = choose_golden(features, data, trained)
        report = run.workspace.locate("evaluate", REPORT)
        files = [report, *report.parent.glob("*.png")]
        if training.labelled:
            files.append(run.workspace.locate("download", KEPT))
        version = register(trained, contents, files, options.models)
    write_json(folder / "version.json", {"folder": str(version)})
    print(f"    made {recipe.name} version {version.name}, with its card and report: {version}")
    _say_next(version, options.models)
    if options.mlflow:
        tracking.log_version(options.mlflow, version, run.workspace.folder / "evaluate")


def _say_next(version: Path, models: Path) -> None:
    """Say whether a version is served, and what can be done with it."""
    name, number = version.parent.name, version.name
    champion = find_champion(version.parent)
    command = f"{_name_python()} -m training"
    where = f"--models {shlex.quote(str(models))}"
    if champion == number:
        print("    It is served from now on. What it is:")
        print(f"      {command} show {name} {number} {where}")
        return
    print(
        f"    It isn't served yet: version {champion} is. Compare the two, try the new one in the"
        f" shadow, or serve it:\n"
        f"      {command} compare {name} {champion} {number} {where}\n"
        f"      {command} promote {name} {number} --alias challenger {where}\n"
        f"      {command} promote {name} {number} {where}"
    )


def _name_python() -> str:
    """Name this Python as it is typed in the folder where the command was called."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return shlex.quote(python.as_posix())


def _find_unrecorded(run: Run, contents: dict[str, Any]) -> Path | None:
    """Find the version of a call that was stopped between registering it and recording that."""
    try:
        began = datetime.fromisoformat(_locate_start(run).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    training = contents["training"].model_copy(update={"trained_at": began})
    version = find_registered(contents | {"training": training}, run.options.models)
    record = run.workspace.locate("register", "version.json")
    if record.exists() and json.loads(record.read_bytes())["folder"] == str(version):
        return None
    return version


def _locate_start(run: Run) -> Path:
    """Locate the file that says when the last version was begun, by which it is known."""
    return run.workspace.folder / "registering.txt"


def has_version(run: Run) -> bool:
    """Say whether the version that was registered is still where it was written."""
    return Path(run.read_json("register", "version.json")["folder"]).is_dir()


def _find_trained(run: Run) -> Trained | None:
    """Give the model that was judged, if it was trained on just the rows of the version."""
    rows = run.read_json("split", "rows.json")
    if rows["version"] != rows["train"]:
        return None
    trained: Trained = joblib.load(run.workspace.locate("evaluate", TRAINED))
    return trained
