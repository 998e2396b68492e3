"""What each command does, with the options that the command line has for it."""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training import tracking, versions
from training.ames import RECIPE as AMES
from training.california import RECIPE as CALIFORNIA
from training.dataset import read_dataset
from training.errors import NoVerdict, TrainingError
from training.export import read_export
from training.features import complete_features, read_descriptions
from training.labelled import keep_labelled
from training.market import Market, draw_sales
from training.parameters import Parameters
from training.pipeline import run_pipeline
from training.preparation import prepare
from training.reproduction import reproduce
from training.run import Options, Run
from training.sending import Gateway, send_sales
from training.workspace import Workspace

RECIPES = {recipe.name: recipe for recipe in (AMES, CALIFORNIA)}
SERVICE_FOLDER = Path(__file__).resolve().parents[1]


def train(options: argparse.Namespace) -> None:
    if options.mlflow:
        tracking.check_installed()
    chosen = Options(
        data=options.data,
        models=options.models,
        seed=options.seed,
        trials=options.trials,
        splits=options.splits,
        mlflow=options.mlflow,
        labelled=_read_labelled(options),
        keep_hold_out=options.keep_hold_out,
        parameters=_read_parameters(options),
    )
    recipe = RECIPES[options.model]
    workspace = Workspace(options.work / recipe.name)
    with workspace.lock():
        run_pipeline(Run(recipe, chosen, workspace), options.steps)


def _read_labelled(options: argparse.Namespace) -> bytes | None:
    if options.labelled is None:
        return None
    return keep_labelled(read_export(options.labelled, options.since), options.model)


def _read_parameters(options: argparse.Namespace) -> Mapping[str, Any] | None:
    if options.parameters_of is None:
        return None
    card = versions.read_version(options.models / options.model, options.parameters_of)
    made = card.training
    searched = {"study": made.study, "best_trial": made.best_trial}
    chosen = Parameters.from_json(made.parameters).to_json()
    return {"parameters_of": card.version, **searched, **chosen}


def promote(options: argparse.Namespace) -> None:
    print(versions.promote(options.models / options.model, options.version, options.alias))


def retire(options: argparse.Namespace) -> None:
    print(versions.retire(options.models / options.model, options.alias))


def publish(options: argparse.Namespace) -> None:
    tracking.check_installed()
    family = options.models / options.model
    card = versions.read_version(family, options.version)
    tracking.log_version(options.mlflow, family / card.version)


def roll_back(options: argparse.Namespace) -> None:
    print(versions.roll_back(options.models / options.model))


def list_versions(options: argparse.Namespace) -> None:
    for name in [options.model] if options.model else RECIPES:
        print(versions.list_versions(options.models / name))


def show(options: argparse.Namespace) -> None:
    print(versions.show(options.models / options.model, options.version))


def compare(options: argparse.Namespace) -> int:
    family = options.models / options.model
    if options.labelled is None:
        print(versions.compare(family, *options.versions))
        return 0
    # Not before: their libraries take a second to import.
    from training import comparison, comparison_report

    with _giving_a_verdict():
        first, second = (
            comparison.load_model(family, versions.read_version(family, version).version)
            for version in options.versions
        )
        found = comparison.compare_on(
            (first, second), read_export(options.labelled), RECIPES[options.model].price_edges
        )
        print(comparison_report.describe_comparison(found))
        report = comparison_report.write_comparison(found, second.card.title, _find_output(options))
    print(f"\nthe report: {report}")
    return 0 if found.whole.verdict == "better" else 1


def watch(options: argparse.Namespace) -> int:
    # Not before: their libraries take a second to import.
    from training import log_inputs, watch_report
    from training.watch import judge

    with _giving_a_verdict():
        card = versions.read_version(options.models / options.model, options.version)
        inputs = log_inputs.collect(card, read_export(options.inputs, options.since))
        findings = judge(card, inputs)
        report = watch_report.write_report(findings, _find_output(options))
    if options.json:
        print(json.dumps(watch_report.to_json(findings), indent=2))
    else:
        print(f"{watch_report.say_verdict(findings)}\n\nthe report: {report}")
    return 1 if findings.alarms else 0


@contextmanager
def _giving_a_verdict() -> Iterator[None]:
    """Let no error have the exit status of a verdict."""
    try:
        yield
    except TrainingError as error:
        raise NoVerdict(str(error)) from error


def _find_output(options: argparse.Namespace) -> Path:
    folder: Path = options.output or SERVICE_FOLDER / ".training" / options.model / options.report
    return folder


def remake(options: argparse.Namespace) -> None:
    family = options.models / options.model
    card = versions.read_version(family, options.version)
    recipe = RECIPES[options.model]
    print(reproduce(recipe, card, family / card.version, options.data, options.work))


def send_market(options: argparse.Namespace) -> None:
    recipe = RECIPES[options.model]
    raw = read_dataset(recipe.dataset, options.data, options.work)
    descriptions = read_descriptions(recipe.features_file)
    prepared = prepare(raw, recipe.separator, descriptions, recipe.target.column, recipe.repairs)
    features = complete_features(descriptions, prepared.frame)
    market = Market(recipe.name, options.seed, options.inflation, dict(options.shift))
    sales = draw_sales(market, prepared, features, options.rows, options.skip)
    gateway = Gateway(options.to, recipe.name)
    sent = send_sales(gateway, sales, options.rate, actuals=options.actuals)
    print(f"{sent.new} sales sent, {len(sales) - sent.new} were in the log already")
    for number, count in sorted(sent.versions.items()):
        print(f"{count} priced by version {number}{_note_seen(options, number)}")
    if sent.not_predicted:
        print(f"{sent.not_predicted} are in the log without a price; Service A can replay them")
    if options.actuals:
        print(f"{sent.reported} actual prices reported")


def _note_seen(options: argparse.Namespace, number: str) -> str:
    """Say of a version that was trained on the sales, and so looks better than it is."""
    try:
        card = versions.read_version(options.models / options.model, number)
    except TrainingError:
        return ""  # it is served from elsewhere
    return "" if card.training.kept_rows else ", which was trained on them (see --keep-hold-out)"
