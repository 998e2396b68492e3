"""What each step does: reads the artifacts of others, writes its own into a folder."""

import json
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from training import plots, tracking
from training.alias import read_alias
from training.clusters import cluster, describe, place_rows
from training.dataset import read_dataset
from training.errors import TrainingError
from training.evaluation import (
    Trained,
    measure_calibration,
    measure_forest,
    measure_hold_out,
    measure_importance,
    measure_other_splits,
    measure_slices,
    train,
)
from training.features import complete_features, describe_rows, read_descriptions, to_request
from training.golden import choose_golden
from training.labelled import KEPT, read_labelled
from training.measures import format_table
from training.parameters import Parameters
from training.parts import join_rows, part_rows
from training.preparation import prepare
from training.price_level import measure_price_level
from training.provenance import describe_libraries, describe_training, write_description
from training.registration import REPORT, find_registered, register
from training.report import format_candidates, write_report
from training.run import Run
from training.selection import cross_validate, score
from training.tuning import search

_TRAINED = "trained.joblib"


def download(run: Run, folder: Path) -> None:
    """Copy the raw data, from the given file or the internet; and what is kept of the log."""
    dataset = run.recipe.dataset
    cache = run.workspace.folder.parent
    content = read_dataset(dataset, run.options.data, cache)
    (folder / dataset.file_name).write_bytes(content)
    if run.options.labelled:
        (folder / KEPT).write_bytes(run.options.labelled)


def prepare_rows(run: Run, folder: Path) -> None:
    """Check, repair and type the rows, those from the log too."""
    recipe = run.recipe
    raw = run.workspace.locate("download", recipe.dataset.file_name).read_bytes()
    descriptions = read_descriptions(recipe.features_file)
    prepared = prepare(raw, recipe.separator, descriptions, recipe.target.column, recipe.repairs)
    joblib.dump(prepared, folder / "rows.joblib")
    print(f"    {len(prepared.target):,} rows, {prepared.frame.shape[1]} inputs")
    labelled = None
    kept = run.workspace.locate("download", KEPT)
    if kept.exists():
        features = complete_features(descriptions, prepared.frame)
        rows = (prepared.inputs, prepared.target)
        labelled = read_labelled(kept.read_bytes(), recipe.name, features, *rows)
    joblib.dump(labelled, folder / "labelled.joblib")
    for remark in (*prepared.remarks, *(labelled.remarks if labelled else ())):
        print(f"    {remark}")


def split(run: Run, folder: Path) -> None:
    """Choose the rows that are held out until evaluate; find today's level of prices."""
    data, labelled = run.data, run.labelled
    rows, level = len(data.prices), 1.0
    parts = part_rows(rows, labelled, keep_hold_out=run.options.keep_hold_out)
    if labelled:
        known = join_rows(data, labelled, level).take(parts.train)
        is_new = parts.train >= rows
        old, new = (known.take(np.flatnonzero(each)) for each in (~is_new, is_new))
        level = measure_price_level(run.recipe, old, new, run.options.seed)
        print(f"    prices in the log are {level:.3f} times those of the data")
    content = {name: part.tolist() for name, part in vars(parts).items()}
    content["all"] = np.union1d(parts.train, parts.hold_out).tolist()
    _write_json(folder / "rows.json", content | {"price_level": level})
    print(f"    {len(parts.train):,} rows to train on, {len(parts.hold_out):,} held out")


def select(run: Run, folder: Path) -> None:
    """Compare the candidates on the training rows."""
    if run.options.parameters:
        for file in ("candidates.json", "clusters.json"):
            _write_json(folder / file, [])
        _write_json(folder / "parameters.json", run.options.parameters)
        print("    nothing to choose: the parameters are given")
        return
    data, seed = run.take("train"), run.options.seed
    table: list[dict[str, Any]] = []
    for number, (name, parameters) in enumerate(run.recipe.candidates.items(), start=1):
        whole, scant = cross_validate(
            run.recipe, data.features, data.inputs, data.prices, seed, parameters
        )
        result = {
            "name": name,
            "score": score(whole, scant),
            "all_fields": whole,
            "required_fields_only": scant,
        }
        table.append(result)
        print(f"    {number}/{len(run.recipe.candidates)} {name}: {result['score']:.3f}")
    best = min(table, key=lambda each: float(each["score"]))["name"]
    _write_json(folder / "candidates.json", table)
    place = run.recipe.place
    found = cluster(place_rows(place, data.features, data.inputs), seed) if place else []
    _write_json(folder / "clusters.json", describe(found))
    (folder / "candidates.md").write_text(format_candidates(table) + "\n", encoding="utf-8")
    _write_json(
        folder / "parameters.json",
        {"candidate": best} | run.recipe.candidates[best].to_json(),
    )
    print(f"    best: {best}")


def tune(run: Run, folder: Path) -> None:
    """Search for better parameters of the best candidate, on the training rows."""
    if run.options.parameters:
        _write_json(folder / "parameters.json", run.options.parameters)
        return
    data, seed = run.take("train"), run.options.seed
    start = Parameters.from_json(run.read_json("select", "parameters.json"))
    # The journal stays if this step is interrupted. Another search gets another journal.
    study = f"{run.workspace.digest_whole('select')[:24]}-{seed}"
    found = search(
        start,
        run.recipe.search,
        run.options.trials,
        seed,
        run.workspace.folder / "studies" / f"{study}.journal",
        lambda parameters, report: score(
            *cross_validate(
                run.recipe, data.features, data.inputs, data.prices, seed, parameters, report
            )
        ),
    )
    chosen = {"study": study, "best_trial": found.trial} | found.parameters.to_json()
    _write_json(folder / "parameters.json", chosen)
    _write_json(folder / "trials.json", found.record)
    for name, value in chosen.items():
        print(f"    {name}: {value}")


def evaluate(run: Run, folder: Path) -> None:
    """Measure on the rows held out, and on other splits; draw and report."""
    recipe, seed = run.recipe, run.options.seed
    parameters = Parameters.from_json(run.read_json("tune", "parameters.json"))
    known, unseen = run.take("train"), run.take("hold_out")
    trained = train(recipe, known, seed, parameters)
    joblib.dump(trained, folder / _TRAINED)
    metrics = measure_hold_out(trained, unseen, seed)
    metrics["random_forest_baseline"] = measure_forest(known, unseen)
    if run.options.splits:
        metrics["other_splits"] = measure_other_splits(
            recipe, run.take("all"), seed, parameters, run.options.splits
        )
    slices = measure_slices(trained, unseen, recipe.slices, recipe.price_edges)
    importance = measure_importance(trained.predict, unseen, seed)
    names = plots.draw_all(
        folder,
        unseen.prices,
        trained.predict(unseen.inputs),
        trained.spread.measure_half_width(unseen.inputs),
        importance,
        measure_calibration(trained, unseen),
        slices["Price band"],
    )
    clusters = run.read_json("select", "clusters.json")
    if clusters:
        names.append(plots.draw_clusters(folder, clusters))
    _write_json(folder / "metrics.json", metrics)
    _write_json(folder / "slices.json", slices)
    report = write_report(
        recipe.title,
        metrics,
        slices,
        importance,
        run.read_json("select", "candidates.json"),
        clusters,
        parameters.to_json(),
        names,
        run.labelled.remarks if run.labelled else (),
    )
    (folder / REPORT).write_text(report, encoding="utf-8")
    columns = {"all fields": metrics, "required only": metrics["required_fields_only"]}
    print(format_table(columns | {"plain forest": metrics["random_forest_baseline"]}))
    print(f"    the whole report: {run.workspace.locate('evaluate', REPORT)}")


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
    _write_json(folder / "version.json", {"folder": str(version)})
    print(f"    {version}")
    _say_next(version, options.models)
    if options.mlflow:
        tracking.log_version(options.mlflow, version, run.workspace.folder / "evaluate")


def _say_next(version: Path, models: Path) -> None:
    """Say that a version isn't served yet, and how it comes to be."""
    name, number = version.parent.name, version.name
    aliases = read_alias(version.parent)
    if aliases is None or aliases.champion == number:
        return
    command = "python -m training"
    where = f" --models {shlex.quote(str(models))}"
    print(
        f"    It isn't served yet: version {aliases.champion} is."
        " Try it in the shadow, or serve it:\n"
        f"      {command} promote {name} {number} --alias challenger{where}\n"
        f"      {command} promote {name} {number}{where}"
    )


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
    trained: Trained = joblib.load(run.workspace.locate("evaluate", _TRAINED))
    return trained


def _write_json(path: Path, content: Any) -> None:
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror}") from error
