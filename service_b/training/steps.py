"""What each step does: reads the artifacts of others, writes its own into a folder."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
from tqdm import tqdm

from training import plots, relations
from training.clusters import cluster, describe, place_rows
from training.dataset import read_dataset
from training.evaluation import (
    judge,
    measure_calibration,
    measure_forest,
    measure_importance,
    measure_judged,
    measure_slices,
    measure_steps,
    name_price_bands,
    train,
)
from training.features import complete_features, read_descriptions
from training.labelled import KEPT, read_labelled
from training.measures import format_table, lead
from training.parameters import Parameters
from training.parts import join_rows, part_rows
from training.preparation import prepare
from training.price_level import measure_price_level
from training.rarity import measure_scrambled
from training.registration import REPORT
from training.report import format_candidates, write_report
from training.resampling import (
    measure_five_fold,
    measure_later,
    measure_new_places,
    measure_other_splits,
    measure_tuning,
)
from training.run import RELATIONS, TRAINED, Run
from training.selection import cross_validate, score
from training.tuning import search
from training.workspace import write_json


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
    write_json(folder / "rows.json", content | {"price_level": level})
    print(f"    {len(parts.train):,} rows to train on, {len(parts.hold_out):,} held out")


def relate(run: Run, folder: Path) -> None:
    """Count the rows that confirm each of the recipe's relations between fields."""
    data = run.take("version")
    counted = relations.count_rows(run.recipe.relations, data.features, data.inputs)
    write_json(folder / RELATIONS, [each.model_dump(mode="json") for each in counted])
    for each in counted:
        left_out = "" if relations.is_confirmed(each) else ", so the card leaves it out"
        print(f"    {each.confirmed:,} of {each.rows:,} rows: {each.says}{left_out}")


def select(run: Run, folder: Path) -> None:
    """Compare the candidates on the training rows."""
    if run.options.parameters:
        for file in ("candidates.json", "clusters.json"):
            write_json(folder / file, [])
        write_json(folder / "parameters.json", run.options.parameters)
        print("    nothing to choose: the parameters are given")
        return
    data, seed = run.take("train"), run.options.seed
    table: list[dict[str, Any]] = []
    candidates = run.recipe.candidates
    progress = tqdm(candidates.items(), "select", unit="candidate", disable=None)
    for number, (name, parameters) in enumerate(progress, start=1):
        whole, scant = cross_validate(run.recipe, data, seed, parameters)
        result = {
            "name": name,
            "score": score(whole, scant),
            "all_fields": whole,
            "required_fields_only": scant,
        }
        table.append(result)
        tqdm.write(f"    {number}/{len(candidates)} {name}: score {result['score']:.3f}%")
    best = min(table, key=lambda each: float(each["score"]))["name"]
    write_json(folder / "candidates.json", table)
    place = run.recipe.place
    found = cluster(place_rows(place, data.features, data.inputs), seed) if place else []
    write_json(folder / "clusters.json", describe(found))
    (folder / "candidates.md").write_text(format_candidates(table) + "\n", encoding="utf-8")
    write_json(
        folder / "parameters.json",
        {"candidate": best} | candidates[best].to_json(),
    )
    print(f"    best: {best}")


def tune(run: Run, folder: Path) -> None:
    """Search for better parameters of the best candidate, on the training rows."""
    if run.options.parameters:
        write_json(folder / "parameters.json", run.options.parameters)
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
            *cross_validate(run.recipe, data, seed, parameters, report)
        ),
    )
    chosen = {"study": study, "best_trial": found.trial} | found.parameters.to_json()
    write_json(folder / "parameters.json", chosen)
    write_json(folder / "trials.json", found.record)
    for name, value in chosen.items():
        print(f"    {name}: {value}")


def evaluate(run: Run, folder: Path) -> None:
    """Measure on the rows held out, and all rows in other ways; draw and report."""
    recipe, seed = run.recipe, run.options.seed
    parameters = Parameters.from_json(run.read_json("tune", "parameters.json"))
    known, unseen = run.take("train"), run.take("hold_out")
    trained = train(recipe, known, seed, parameters)
    joblib.dump(trained, folder / TRAINED)
    metrics = measure_judged(unseen.prices, judge(trained, unseen, seed))
    metrics["random_forest_baseline"] = measure_forest(known, unseen)
    metrics["steps"] = measure_steps(trained.predict, unseen, recipe)
    if trained.rarity:
        metrics["unusual"] = measure_scrambled(trained.rarity, unseen.inputs, seed)
    if run.options.splits and run.labelled is None:
        metrics |= _measure_anew(run, parameters, metrics)
    slices = measure_slices(trained, unseen, recipe)
    importance = measure_importance(trained.predict, unseen, seed)
    names = plots.draw_all(
        folder,
        unseen.prices,
        trained.predict(unseen.inputs),
        trained.measure_half_width(unseen.inputs),
        importance,
        measure_calibration(trained, unseen),
        slices[name_price_bands(recipe)],
        recipe.target.unit,
    )
    clusters = run.read_json("select", "clusters.json")
    if clusters:
        names.append(plots.draw_clusters(folder, clusters))
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "slices.json", slices)
    report = write_report(
        recipe.title,
        recipe.target.unit,
        metrics,
        slices,
        importance,
        run.read_json("select", "candidates.json"),
        clusters,
        parameters.to_json(),
        names,
        run.labelled.remarks if run.labelled else (),
        run.relations,
    )
    (folder / REPORT).write_text(report, encoding="utf-8")
    leading = lead(metrics)
    columns = {"all fields": leading, "required only": leading["required_fields_only"]}
    columns |= {"plain forest": metrics["random_forest_baseline"]}
    print(format_table(columns, recipe.target.unit))
    print(f"    the whole report: {run.workspace.locate('evaluate', REPORT)}")


def _measure_anew(run: Run, parameters: Parameters, fixed: dict[str, Any]) -> dict[str, Any]:
    arguments = (run.recipe, run.take("all"), run.options.seed)
    five_fold = measure_five_fold(*arguments, parameters)
    untuned = Parameters.from_json(run.read_json("select", "parameters.json"))
    return {
        "five_fold": five_fold,
        "tuning": measure_tuning(*arguments, untuned, parameters, five_fold["by_fold"]),
        "other_splits": measure_other_splits(*arguments, parameters, run.options.splits, fixed),
        "new_places": measure_new_places(*arguments, parameters),
        "later": measure_later(*arguments, parameters),
    }
