"""The pipeline on invented sales with every column of Ames, few and quickly learnt."""

import hashlib
import json
import math
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config
from pydantic.alias_generators import to_camel

from predictor.card import AtMost, read_card
from tests.training.exported_inputs import make_record
from training.__main__ import main
from training.ames import RECIPE as AMES
from training.dataset import Dataset
from training.errors import TrainingError
from training.features import read_descriptions, to_request
from training.labelled import LEAST_ROWS
from training.parameters import Parameters
from training.pipeline import STEPS, run_pipeline
from training.recipe import Recipe
from training.report import write_report
from training.reproduction import reproduce
from training.run import Options, Run
from training.versions import list_versions, show
from training.workspace import Workspace

ROWS = 80
# Two relations, of which the invented sales confirm one.
MONTHS = AtMost(fields=("mo_sold", "yr_sold"), says="Months are fewer than years", message="no")
ROOMS = AtMost(fields=("bedroom_abv_gr", "tot_rms_abv_grd"), says="Rooms are more", message="no")
QUICK = Parameters(trees=3, partial_copies=1, spread_trees=2, spread_bands=True)


def write_data(file: Path) -> None:
    random = np.random.default_rng(3)
    columns: dict[str, list[str]] = {}
    for each in read_descriptions(AMES.features_file)[1:]:
        if each["kind"] == "category":
            values = random.choice([str(category) for category in each["categories"]], ROWS)
        else:
            values = random.integers(each["minimum"], each["maximum"], ROWS).astype(str)
        columns[each["column"]] = values.tolist()
    columns["LotFrontage"][4] = ""
    columns["SaleType"][5] += " "
    columns["SalePrice"] = [str(100 * int(area)) for area in columns["GrLivArea"]]
    lines = ["\t".join(columns), *map("\t".join, zip(*columns.values(), strict=True))]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


Start = Callable[..., Run]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the raw data, and later the results."""
    folder = tmp_path_factory.mktemp("training")
    write_data(folder / "sales.txt")
    return folder


@pytest.fixture(scope="module")
def recipe(folder: Path) -> Recipe:
    sha256 = hashlib.sha256((folder / "sales.txt").read_bytes()).hexdigest()
    return replace(
        AMES,
        dataset=Dataset("sales.txt", "http://localhost/sales.txt", sha256),
        later=("yr_sold", 2020),
        place={"gr_liv_area": 1.0, "lot_area": 0.1},
        relations=(ROOMS, MONTHS),
        candidates={
            "linear": replace(QUICK, weights={"linear": 1.0}),
            "boosting": QUICK,
            "boosting, clusters": replace(QUICK, clusters=True, trees=1),  # never the best
        },
    )


def start(folder: Path, recipe: Recipe, **options: Any) -> Run:
    chosen: dict[str, Any] = {
        "data": folder / "sales.txt",
        "models": folder / "models",
        "seed": 5,
        "trials": 2,
        "splits": 1,
        "mlflow": None,
    }
    return Run(recipe, Options(**chosen | options), Workspace(folder / "work"))


@pytest.fixture(scope="module")
def done(folder: Path, recipe: Recipe) -> Run:
    """The pipeline after one whole run."""
    run = start(folder, recipe)
    # In two processes, as the command does: all that these are sent must be fit for it.
    with pytest.MonkeyPatch.context() as patch, parallel_config("loky", n_jobs=2):
        patch.setattr("training.resampling.FOLDS", 2)  # each trains six models
        run_pipeline(run, ())
    return run


def find_runs(printed: str) -> list[str]:
    """The steps that ran, by what was printed."""
    return [
        line.split()[1]
        for line in printed.splitlines()
        if line[:1].isdigit() and not line.endswith("up to date")
    ]


# The next two need the artifacts as they were made; tests below make some of them anew.
@pytest.mark.usefixtures("done")
def test_commands_that_are_shown_after_training_work_as_they_stand(
    folder: Path, recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "my models"
    shutil.copytree(folder / "models", models)
    work = Workspace(shutil.copytree(folder / "work", tmp_path / "work"))
    (work.folder / "registering.txt").unlink()  # the first version is another training's
    register = replace(start(folder, recipe, models=models), workspace=work)
    capsys.readouterr()
    run_pipeline(register, ["register"])
    printed = capsys.readouterr().out
    assert f"made ames version 2, with its card and report: {models / 'ames' / '2'}\n" in printed
    assert "It isn't served yet: version 1 is." in printed
    commands = [line.strip() for line in printed.splitlines() if " -m training " in line]
    assert [shlex.split(command)[3] for command in commands] == ["compare", "promote", "promote"]
    for command in commands:
        python, *_, folder_of_models = shlex.split(command)
        assert (Path(python).resolve(), folder_of_models) == (
            Path(sys.executable).resolve(),
            str(models),
        )
        assert main(shlex.split(command)[3:]) == 0
    printed = capsys.readouterr().out
    assert "| share within 10% |" in printed
    assert printed.endswith("ames version 2 is served from now on\n")


@pytest.mark.usefixtures("done")
def test_first_version_is_said_to_be_served(
    folder: Path, recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Workspace(shutil.copytree(folder / "work", tmp_path / "work"))
    register = replace(start(folder, recipe, models=tmp_path / "models"), workspace=work)
    run_pipeline(register, ["register"])
    said, command = capsys.readouterr().out.splitlines()[-3:-1]
    assert said == "    It is served from now on. What it is:"
    assert main(shlex.split(command)[3:]) == 0
    assert "ames version 1" in capsys.readouterr().out


def test_card_says_how_the_version_was_made(folder: Path, recipe: Recipe, done: Run) -> None:
    card = read_card(folder / "models" / "ames" / "1")
    assert (card.training.rows, card.training.seed) == (ROWS, 5)
    assert card.training.data_sha256 == recipe.dataset.sha256
    tuned = done.read_json("tune", "parameters.json")
    assert card.training.python == platform.python_version()
    study, trial = tuned.pop("study"), tuned.pop("best_trial")
    assert (card.training.study, card.training.best_trial) == (study, trial)
    assert (done.workspace.folder / "studies" / f"{study}.journal").is_file()
    record = done.read_json("tune", "trials.json")
    assert trial == min(record, key=lambda each: each["score"] or math.inf)["number"]
    assert {name: card.training.parameters[name] for name in tuned} == tuned
    assert card.training.parameters["split_seed"] == 42
    assert card.metrics["rows"] == 16
    assert {"r2", "mape_percent", "interval_coverage_share"} <= set(
        card.metrics["required_fields_only"]
    )
    assert set(card.libraries) == {"scikit-learn", "numpy", "scipy", "joblib"}
    assert {feature.name: feature.nullable for feature in card.features}["lot_frontage"]
    assert len(card.golden) == 8
    assert {len(each.input) for each in card.golden} > {4}


def test_card_has_the_relations_that_the_rows_confirm_and_the_report_has_all(
    folder: Path, done: Run
) -> None:
    version = folder / "models" / "ames" / "1"
    counted = {"rows": ROWS, "confirmed": ROWS}
    assert read_card(version).relations == (MONTHS.model_copy(update=counted),)
    rooms = done.relations[0]
    report = (version / "report.md").read_text(encoding="utf-8")
    assert f"| Rooms are more | {ROWS} | {rooms.confirmed} | left out |" in report
    assert f"| Months are fewer than years | {ROWS} | {ROWS} |  |" in report


def test_registered_version_is_made_again_from_its_card(
    folder: Path, recipe: Recipe, done: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    version = folder / "models" / "ames" / "1"
    summary = reproduce(recipe, read_card(version), version, done.options.data, folder / "work")
    assert summary.endswith("reproduced")
    assert "note:" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("python", "note"),
    [
        ("3.0.1", "made with Python 3.0.1, here is {}"),
        (None, "the card doesn't say with which Python it was made, here is {}"),
    ],
)
def test_every_condition_that_differs_is_said_before_the_version_is_made_again(
    python: str | None,
    note: str,
    folder: Path,
    recipe: Recipe,
    capsys: pytest.CaptureFixture[str],
    done: Run,
) -> None:
    version = folder / "models" / "ames" / "1"
    card = read_card(version)
    training = card.training.model_copy(update={"python": python, "code_revision": "abc"})
    libraries = card.libraries | {"numpy": "1.0"}
    other = card.model_copy(update={"training": training, "libraries": libraries})
    reproduce(recipe, other, version, done.options.data, folder / "work")
    assert capsys.readouterr().out.splitlines() == [
        f"note: made with numpy 1.0, here is {card.libraries['numpy']}",
        f"note: {note.format(platform.python_version())}",
        f"note: made by code abc, here is {card.training.code_revision}",
    ]


def test_another_model_than_the_registered_one_is_told_from_it(
    folder: Path, recipe: Recipe, done: Run
) -> None:
    version = folder / "models" / "ames" / "1"
    card = read_card(version)
    other = card.model_copy(update={"training": card.training.model_copy(update={"seed": 6})})
    with pytest.raises(TrainingError, match="not the same model"):
        reproduce(recipe, other, version, done.options.data, folder / "work")


def test_version_whose_file_was_changed_is_not_unpickled(
    tmp_path: Path, folder: Path, recipe: Recipe, done: Run
) -> None:
    version = shutil.copytree(folder / "models" / "ames" / "1", tmp_path / "1")
    (version / "spread.joblib").write_bytes(b"\x80")
    with pytest.raises(TrainingError, match=r"spread\.joblib: its sha256 is not"):
        reproduce(recipe, read_card(version), version, done.options.data, folder / "work")


def test_every_row_is_judged_once_and_shown_by_the_list_of_versions(
    folder: Path, done: Run
) -> None:
    metrics = done.read_json("evaluate", "metrics.json")
    five = metrics["five_fold"]
    assert (five["rows"], five["folds"], len(five["by_fold"])) == (ROWS, 2, 2)
    assert metrics["new_places"]["rows"] == ROWS
    assert 0 < metrics["later"]["rows"] < ROWS
    assert 0 <= five["dominant_rows"]["share_of_squared_error"] <= 1
    spread = five["spread"]["all_fields"]["mape_percent"]
    assert spread["mean"] == pytest.approx(five["mape_percent"], rel=1e-3)
    assert f"MAPE {five['mape_percent']:.2f}%" in list_versions(folder / "models" / "ames")


def test_every_step_up_of_the_recipe_is_measured(recipe: Recipe, done: Run) -> None:
    steps = done.read_json("evaluate", "metrics.json")["steps"]
    assert len(steps) == sum(len(values) - 1 for values in recipe.rises.values())
    assert {each["feature"] for each in steps} == {*recipe.rises}


def test_report_names_the_unit_of_the_prices(done: Run) -> None:
    metrics = done.read_json("evaluate", "metrics.json")
    report = write_report("Few sales", "CHF", metrics, {}, {}, [], [], {}, [])
    assert "| RMSE, CHF |" in report
    assert re.search(r"row \d+ \(actual [\d,]+ CHF, predicted", report)
    assert "USD" not in report


def test_report_leaves_out_what_was_not_measured(done: Run) -> None:
    metrics = done.read_json("evaluate", "metrics.json")
    del metrics["five_fold"], metrics["steps"]
    report = write_report("Few sales", "CHF", metrics, {}, {}, [], [], {}, [])
    titles = [line for line in report.splitlines() if line.startswith("## ")]
    assert titles == ["## The more is known", "## Importance", "## Parameters"]


def test_registered_report_stands_beside_the_plots_that_it_shows(done: Run) -> None:
    version = done.options.models / "ames" / "1"
    report = (version / "report.md").read_text(encoding="utf-8")
    shown = re.findall(r"^!\[.*\]\((.*)\)$", report, re.MULTILINE)
    assert sorted(shown) == sorted(file.name for file in version.glob("*.png"))
    assert len(shown) == 6


def test_every_step_leaves_what_can_be_read(done: Run) -> None:
    evaluation = done.workspace.folder / "evaluate"
    assert {file.name for file in evaluation.glob("*.png")} == {
        "predicted.png",
        "residuals.png",
        "importance.png",
        "calibration.png",
        "price_bands.png",
        "clusters.png",
    }
    report = (evaluation / "report.md").read_text(encoding="utf-8")
    titles = [line for line in report.splitlines() if line.startswith("## ")]
    assert titles[:6] == [
        "## The fixed split",
        "## Other splits",
        "## Limits",
        "## Tuning",
        "## Steps",
        "## The more is known",
    ]
    assert {"## Price band, USD", "## Neighbourhood", "## Clusters"} <= {*titles}
    assert f"Every one of {ROWS} rows was predicted once" in report.partition("## ")[0]
    assert [each["name"] for each in done.read_json("select", "candidates.json")] == [
        "linear",
        "boosting",
        "boosting, clusters",
    ]
    for text in ("| boosting, clusters |", "![clusters](clusters.png)", "chosen"):
        assert report.count(text) == 1
    clusters = done.read_json("select", "clusters.json")
    assert [each["clusters"] for each in clusters] == [*range(5, 16)]
    (chosen,) = [each for each in clusters if each["chosen"]]
    assert chosen["silhouette"] == max(each["silhouette"] for each in clusters)
    assert len(done.read_json("tune", "trials.json")) == 2


@pytest.fixture(scope="module")
def labelled(done: Run) -> bytes:
    """Sales of the log, half as dear again as those of the data: of each second only few facts."""
    prepared, features = done.prepared
    required = [each.name for each in features if each.required]
    lines = []
    for number in range(1, LEAST_ROWS + 11):
        house = to_request(features, prepared.frame.iloc[number].to_dict())
        if number % 2:
            house = {to_camel(name): house[name] for name in required}
        price = 1.5 * prepared.target[number]
        lines.append(json.dumps(make_record(number, data=house, actual_price=price)))
    return "\n".join(lines).encode()


def test_version_from_the_log_says_where_its_rows_come_from_and_is_made_again(
    folder: Path,
    recipe: Recipe,
    done: Run,
    labelled: bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.typicality.FOLDS", 2)
    recipe = replace(recipe, places={})  # new places are tried in `test_rarity`
    tuned = done.read_json("tune", "parameters.json")
    given = {"parameters_of": "1", **tuned, "typical": True}
    options = {"labelled": labelled, "keep_hold_out": True, "parameters": given, "splits": 0}
    run = start(folder, recipe, models=folder / "more", **options)
    retrain = replace(run, workspace=Workspace(folder / "other"))
    run_pipeline(retrain, ())
    assert "prices in the log are 1." in capsys.readouterr().out
    version = folder / "more" / "ames" / "1"
    card = read_card(version)
    made = card.training.labelled
    assert made is not None
    assert (made.rows, made.held_out_rows, made.replaced, made.repeated) == (48, 12, 30, 0)
    assert made.artifact.sha256 == hashlib.sha256(labelled).hexdigest()
    assert card.typical is not None
    assert (version / card.typical.artifact.file).is_file()
    report = (version / "report.md").read_text(encoding="utf-8")
    assert "| share as unusual | factor |" in report
    assert (version / made.artifact.file).read_bytes() == labelled
    assert (card.training.kept_rows, card.metrics["rows"]) == (16, 12)
    assert card.training.rows == len(retrain.read_json("split", "rows.json")["version"])
    assert card.training.parameters["parameters_of"] == "1"
    assert card.description.endswith("It has also learnt from 48 later sales.")
    summary = reproduce(recipe, card, version, done.options.data, folder / "work")
    assert "48 rows received 2026-11-02 01:00:00 to 2026-11-04 01:00:00 UTC" in show(
        version.parent, "1"
    )
    assert summary.endswith(
        f"{card.training.rows} rows: price 0.0e+00, width 0.0e+00; at most 1e-09: reproduced"
    )
    capsys.readouterr()
    run_pipeline(replace(retrain, workspace=Workspace(folder / "other")), ())
    assert find_runs(capsys.readouterr().out) == []


@pytest.mark.usefixtures("done")
def test_nothing_is_registered_when_a_labelled_row_is_not_allowed(
    folder: Path, recipe: Recipe, labelled: bytes, tmp_path: Path
) -> None:
    wrong = labelled.replace(b'"grLivArea": ', b'"grLivArea": 9', 1)
    run = start(folder, recipe, models=tmp_path / "models", labelled=wrong)
    with pytest.raises(TrainingError, match=r"input 1: grLivArea: Input should be less than"):
        run_pipeline(replace(run, workspace=Workspace(tmp_path / "work")), ())
    assert not (tmp_path / "models").exists()
    assert sorted(each.name for each in (tmp_path / "work").iterdir()) == ["download"]


@pytest.mark.usefixtures("done")
def test_nothing_runs_again_when_nothing_changed(
    folder: Path, recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    run_pipeline(start(folder, recipe), ())
    assert find_runs(capsys.readouterr().out) == []
    assert [each.name for each in (folder / "models" / "ames").iterdir() if each.is_dir()] == ["1"]


def test_version_that_was_deleted_is_registered_again(
    folder: Path, recipe: Recipe, done: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(done.options.models / "ames")
    run_pipeline(start(folder, recipe), ())
    assert find_runs(capsys.readouterr().out) == ["register"]
    assert (done.options.models / "ames" / "1" / "card.json").is_file()


def test_changed_recipe_runs_from_the_step_that_it_touches(
    folder: Path, recipe: Recipe, done: Run
) -> None:
    changed = start(folder, replace(recipe, price_edges=(1.0, 2.0)))
    with pytest.raises(TrainingError, match="evaluate, which is stale: recipe price_edges changed"):
        run_pipeline(changed, ["register"])
    damaged = done.workspace.locate("tune", "parameters.json")
    before = damaged.read_bytes()
    damaged.write_text("{}", encoding="utf-8")
    try:
        with pytest.raises(TrainingError, match=r"tune, which is damaged: .*parameters\.json"):
            run_pipeline(start(folder, recipe), ["evaluate"])
    finally:
        damaged.write_bytes(before)


@pytest.mark.usefixtures("done")
def test_rows_prepared_by_another_pandas_are_stale(
    folder: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.pipeline.version", lambda _: "0")
    with pytest.raises(TrainingError, match="prepare, which is stale: pandas, optuna changed"):
        run_pipeline(start(folder, recipe), ["select"])


def test_step_alone_names_the_missing_one_before_it(tmp_path: Path, recipe: Recipe) -> None:
    run = Run(recipe, start(tmp_path, recipe).options, Workspace(tmp_path / "work"))
    with pytest.raises(TrainingError, match="needs the artifact of download, which is missing"):
        run_pipeline(run, ["prepare"])


@pytest.mark.usefixtures("done")
def test_search_goes_on_where_it_was_stopped(folder: Path, recipe: Recipe, tmp_path: Path) -> None:
    # In a copy: the other tests go on from what two trials made.
    work = Workspace(shutil.copytree(folder / "work", tmp_path / "work"))
    more = replace(start(folder, recipe, trials=3), workspace=work)
    run_pipeline(more, ["tune"])
    record = more.read_json("tune", "trials.json")
    assert [each["number"] for each in record] == [0, 1, 2]


def test_failed_step_leaves_the_artifacts_of_those_before(
    folder: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(recipe, start(folder, recipe).options, Workspace(tmp_path / "work"))

    def interrupt(_: Run, folder: Path) -> None:
        (folder / "half.json").write_text("{", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setitem(STEPS, "split", replace(STEPS["split"], run=interrupt))
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(run, ())
    assert sorted(each.name for each in (tmp_path / "work").iterdir()) == ["download", "prepare"]


@pytest.mark.usefixtures("done")
def test_version_registered_just_before_an_interrupt_is_not_registered_again(
    folder: Path,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = start(folder, recipe, models=tmp_path / "models").options
    work = shutil.copytree(folder / "work", tmp_path / "work")

    def register_and_fail(run: Run, folder: Path) -> None:
        STEPS["register"].run(run, folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        broken = replace(STEPS["register"], run=register_and_fail)
        patch.setattr("training.pipeline.STEPS", STEPS | {"register": broken})
        with pytest.raises(KeyboardInterrupt):
            run_pipeline(Run(recipe, options, Workspace(work)), ())
    family = tmp_path / "models" / "ames"
    (family / "alias.json").unlink()  # as if killed before that
    again = Run(recipe, options, Workspace(work))
    run_pipeline(again, ())
    assert again.read_json("register", "version.json")["folder"] == str(family / "1")
    assert sorted(each.name for each in family.iterdir()) == ["1", "alias.json"]
    run_pipeline(Run(recipe, options, Workspace(work)), ["register"])
    assert sorted(each.name for each in family.iterdir()) == ["1", "2", "alias.json"]


@pytest.mark.usefixtures("done")
def test_raw_data_is_not_changed(folder: Path, recipe: Recipe) -> None:
    content = (folder / "sales.txt").read_bytes()
    assert hashlib.sha256(content).hexdigest() == recipe.dataset.sha256


def test_nothing_is_registered_when_the_data_is_wrong(tmp_path: Path, recipe: Recipe) -> None:
    write_data(tmp_path / "sales.txt")
    with (tmp_path / "sales.txt").open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(TrainingError, match="sha256"):
        run_pipeline(start(tmp_path, recipe), ())
    assert not (tmp_path / "models").exists()


def test_metrics_are_numbers_that_json_knows(done: Run) -> None:
    text = done.workspace.locate("evaluate", "metrics.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert json.loads(text)["other_splits"]["splits"] == 1
