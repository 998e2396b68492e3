"""What each step does: reads the artifacts of others, writes its own into a folder."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from predictor.card import Feature, Training
from training import plots, tracking
from training.clusters import cluster, describe, place_rows
from training.dataset import read_dataset
from training.errors import TrainingError
from training.evaluation import (
    HOLD_OUT_SHARE,
    SPLIT_SEED,
    Data,
    measure_calibration,
    measure_forest,
    measure_hold_out,
    measure_importance,
    measure_other_splits,
    measure_slices,
    split_rows,
    train,
)
from training.features import complete_features, read_descriptions, to_request
from training.golden import choose_golden
from training.interval import FOLDS
from training.measures import format_table
from training.parameters import Parameters
from training.preparation import Prepared, prepare
from training.provenance import describe_libraries, read_code_revision, read_python_version
from training.recipe import Recipe
from training.registration import REPORT, find_registered, register
from training.report import format_candidates, write_report
from training.selection import cross_validate, score
from training.tuning import search
from training.workspace import Workspace


@dataclass(frozen=True)
class Options:
    """What the user may choose."""

    data: Path | None
    models: Path
    seed: int
    trials: int
    splits: int
    mlflow: str | None


@dataclass(frozen=True)
class Run:
    """One call of the pipeline: what to train, how, and where artifacts are."""

    recipe: Recipe
    options: Options
    workspace: Workspace

    @cached_property
    def prepared(self) -> tuple[Prepared, tuple[Feature, ...]]:
        """The prepared rows and all features, also those that don't reach the estimator."""
        prepared: Prepared = joblib.load(self.workspace.locate("prepare", "rows.joblib"))
        descriptions = read_descriptions(self.recipe.features_file)
        return prepared, complete_features(descriptions, prepared.frame)

    @property
    def data(self) -> Data:
        prepared, features = self.prepared
        inputs = tuple(each for each in features if each.kind != "identifier")
        return Data(inputs, prepared.inputs, prepared.target)

    def read_json(self, step: str, file: str) -> Any:
        return json.loads(self.workspace.locate(step, file).read_bytes())

    def take(self, part: str) -> Data:
        """Give the rows of one part of the split, `train` or `hold_out`."""
        return self.data.take(np.array(self.read_json("split", "rows.json")[part]))


def download(run: Run, folder: Path) -> None:
    """Copy the raw data, from the given file or the internet."""
    dataset = run.recipe.dataset
    cache = run.workspace.folder.parent
    content = read_dataset(dataset, run.options.data, cache)
    (folder / dataset.file_name).write_bytes(content)


def prepare_rows(run: Run, folder: Path) -> None:
    """Check, repair and type the rows."""
    recipe = run.recipe
    raw = run.workspace.locate("download", recipe.dataset.file_name).read_bytes()
    descriptions = read_descriptions(recipe.features_file)
    prepared = prepare(raw, recipe.separator, descriptions, recipe.target.column, recipe.repairs)
    joblib.dump(prepared, folder / "rows.joblib")
    print(f"    {len(prepared.target):,} rows, {prepared.frame.shape[1]} inputs")
    for remark in prepared.remarks:
        print(f"    {remark}")


def split(run: Run, folder: Path) -> None:
    """Draw the rows that are held out until evaluate."""
    known, unseen = split_rows(len(run.data.prices))
    _write_json(folder / "rows.json", {"train": known.tolist(), "hold_out": unseen.tolist()})
    print(f"    {len(known):,} rows to train on, {len(unseen):,} held out")


def select(run: Run, folder: Path) -> None:
    """Compare the candidates on the training rows."""
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
    metrics = measure_hold_out(trained, unseen, seed)
    metrics["random_forest_baseline"] = measure_forest(known, unseen)
    if run.options.splits:
        metrics["other_splits"] = measure_other_splits(
            recipe, run.data, seed, parameters, run.options.splits
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
    )
    (folder / REPORT).write_text(report, encoding="utf-8")
    columns = {"all fields": metrics, "required only": metrics["required_fields_only"]}
    print(format_table(columns | {"plain forest": metrics["random_forest_baseline"]}))
    print(f"    the whole report: {run.workspace.locate('evaluate', REPORT)}")


def register_version(run: Run, folder: Path) -> None:
    """Train on all rows and write the next version."""
    recipe, options = run.recipe, run.options
    prepared, features = run.prepared
    parameters = Parameters.from_json(run.read_json("tune", "parameters.json"))
    example = prepared.frame.iloc[recipe.example_row].to_dict()
    training = describe_training(run, len(prepared.target), parameters)
    contents: dict[str, Any] = {
        "name": recipe.name,
        "title": recipe.title,
        "description": recipe.description,
        "target": recipe.target,
        "features": features,
        "metrics": run.read_json("evaluate", "metrics.json"),
        "training": training,
        "libraries": describe_libraries(),
        "example": to_request(features, example),
    }
    version = _find_unrecorded(run, contents)
    if version is None:
        _locate_start(run).write_text(training.trained_at.isoformat(), encoding="utf-8")
        trained = train(recipe, run.data, options.seed, parameters)
        contents["golden"] = choose_golden(features, run.data, trained)
        evaluation = run.workspace.locate("evaluate", REPORT).parent
        version = register(trained, contents, evaluation, options.models)
    _write_json(folder / "version.json", {"folder": str(version)})
    print(f"    {version}")
    if options.mlflow:
        tracking.log_version(options.mlflow, version, run.workspace.folder / "evaluate")


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


def describe_training(run: Run, rows: int, parameters: Parameters) -> Training:
    """Say what is needed to make the version again."""
    dataset = run.recipe.dataset
    tuned = run.read_json("tune", "parameters.json")
    return Training(
        data_file=dataset.file_name,
        data_url=dataset.url,
        data_sha256=dataset.sha256,
        rows=rows,
        seed=run.options.seed,
        parameters=parameters.to_json()
        | {
            "interval_folds": FOLDS,
            "split_seed": SPLIT_SEED,
            "hold_out_share": HOLD_OUT_SHARE,
        },
        code_revision=read_code_revision(),
        trained_at=datetime.now(UTC).replace(microsecond=0),
        python=read_python_version(),
        study=tuned["study"],
        best_trial=tuned["best_trial"],
    )


def _write_json(path: Path, content: Any) -> None:
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror}") from error
