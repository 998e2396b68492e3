"""The command line: from the raw data to a registered version, and what is served of them."""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
from threadpoolctl import threadpool_limits

from predictor.version import CHAMPION
from training import tracking, versions
from training.ames import RECIPE as AMES
from training.arguments import (
    parse_alias,
    parse_few,
    parse_inflation,
    parse_positive,
    parse_seed,
    parse_shift,
    parse_steps,
    parse_time,
    parse_uri,
)
from training.california import RECIPE as CALIFORNIA
from training.dataset import read_dataset
from training.errors import NoVerdict, TrainingError
from training.export import API_KEY, read_export
from training.features import complete_features, read_descriptions
from training.labelled import keep_labelled
from training.market import Market, draw_sales
from training.parameters import Parameters
from training.pipeline import STEPS, run_pipeline
from training.preparation import prepare
from training.reproduction import reproduce
from training.run import Options, Run
from training.sending import Gateway, send_sales
from training.workspace import Workspace

RECIPES = {recipe.name: recipe for recipe in (AMES, CALIFORNIA)}
SERVICE_FOLDER = Path(__file__).resolve().parents[1]


def run(arguments: list[str] | None) -> int:
    """Do what the command line says; give the exit status of a command that answers by it."""
    options = build_parser().parse_args(arguments)
    with (
        joblib.parallel_config(
            "loky",
            n_jobs=options.jobs,
            inner_max_num_threads=1,
            max_nbytes=None,  # nothing goes to them through files on a disk that may be full
            idle_worker_timeout=60,  # so soon they end when this process was killed
        ),
        threadpool_limits(limits=1),
    ):
        status: int | None = options.act(options)
        return status or 0


def build_parser() -> argparse.ArgumentParser:
    """Make the parser: the models are commands, and so is what can be done with versions."""
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Train a model on its published data, measure it on rows held out, and "
        "register it as the next version; choose which version is served.",
        epilog="Versions are never changed. `python -m training COMMAND --help` says more.",
    )
    parser.set_defaults(jobs=1)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for recipe in RECIPES.values():
        _add_training(commands.add_parser(recipe.name, help=f"train: {recipe.title}"), recipe.name)

    command = _add_command(commands, "promote", "serve a version from now on", promote)
    command.add_argument("version", help="the version to serve")
    command.add_argument(
        "--alias",
        type=parse_alias,
        default=CHAMPION,
        metavar="NAME",
        help="serve it as MODEL@NAME beside the one that is served, such as `challenger`",
    )
    command = _add_command(commands, "retire", "serve an alias no more", retire)
    command.add_argument("alias", help="the alias, such as `challenger`")
    command = _add_command(commands, "publish", "have an MLflow registry serve a version", publish)
    command.add_argument("version", help="the version that gets the alias champion there")
    _add_mlflow(command, required=True)
    _add_command(commands, "rollback", "serve again what was served before", roll_back)
    _add_command(commands, "list", "say which versions there are", list_versions, optional=True)
    command = _add_command(commands, "show", "say how a version was made and how good it is", show)
    command.add_argument("version", nargs="?", help="default: the one that is served")
    command = _add_command(commands, "compare", "lay two versions side by side", compare)
    command.add_argument("versions", nargs=2, metavar="version")
    command.add_argument(
        "--labelled",
        metavar="URL|FILE",
        help="compare their errors on the inputs of this export of the log that have an actual "
        "price; the exit status is 0 if the second version is better by more than chance, 1 if "
        "not, 2 if that can't be said",
    )
    _add_output(command, "compare")
    command = _add_command(
        commands, "watch", "hold the inputs in the log against those of training", watch
    )
    command.epilog = (
        "The exit status is 0 if no bound was passed, 1 if one was, 2 if that can't be said."
    )
    command.add_argument(
        "--inputs",
        required=True,
        metavar="URL|FILE",
        help=f"Service A, whose key is in {API_KEY} if it wants one, or an export of its log",
    )
    command.add_argument(
        "--since", type=parse_time, metavar="TIME", help="only inputs received then or later"
    )
    command.add_argument("--version", help="default: the one that is served")
    command.add_argument("--json", action="store_true", help="print all findings as JSON")
    _add_output(command, "watch")
    command = _add_command(
        commands, "reproduce", "train a version again and compare all its predictions", remake
    )
    command.add_argument("version", nargs="?", help="default: the one that is served")
    _add_data(command)
    _add_market(commands)
    return parser


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


def _add_training(command: argparse.ArgumentParser, model: str) -> None:
    command.description = (
        f"The steps, in order: {', '.join(STEPS)}. Without --steps, those run whose result is "
        "missing or no longer fits, because a step before, the code or an option changed. What "
        "was stopped goes on where it was."
    )
    command.set_defaults(act=train, model=model)
    command.add_argument(
        "--steps",
        type=parse_steps,
        default=(),
        metavar="STEP,…",
        help="run just these steps, from the results of those before; `all` runs every step anew",
    )
    _add_data(command)
    _add_models(command)
    command.add_argument(
        "--labelled",
        metavar="URL|FILE",
        help="train on the inputs, too, whose actual price Service A's log has: its URL, with the "
        f"key in {API_KEY} if it wants one, or a file of its export; the newest are held out",
    )
    command.add_argument(
        "--since",
        type=parse_time,
        metavar="TIME",
        help="of these, only what was received at this time or later, such as 2026-01-31T12:00Z",
    )
    command.add_argument(
        "--keep-hold-out",
        action="store_true",
        help="let the version never see the fifth of the data that is held out",
    )
    command.add_argument(
        "--parameters-of",
        metavar="VERSION",
        help="take the parameters of this version, instead of selecting and tuning",
    )
    command.add_argument(
        "--trials",
        type=parse_positive,
        default=15,
        metavar="N",
        help="how many parameters tune tries, earlier ones counted (default: %(default)s)",
    )
    command.add_argument(
        "--splits",
        type=parse_few,
        default=5,
        metavar="N",
        help="on how many other splits evaluate measures, too (default: %(default)s)",
    )
    command.add_argument(
        "--seed",
        type=parse_seed,
        default=0,
        metavar="N",
        help="seed of everything random but the hold-out (default: %(default)s)",
    )
    _add_mlflow(command)


def _add_command(  # type: ignore[no-untyped-def]
    commands, name: str, words: str, act, *, optional: bool = False
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    command.set_defaults(act=act)
    command.add_argument("model", choices=RECIPES, nargs="?" if optional else None)
    _add_models(command)
    return command


def _add_market(commands) -> None:  # type: ignore[no-untyped-def]
    words = "send the sales that are held out through Service A, in a market that has changed"
    command = commands.add_parser("market", help=words, description=words)
    command.set_defaults(act=send_market)
    command.add_argument("model", choices=RECIPES, nargs="?", default="ames")
    command.add_argument("--to", required=True, metavar="URL", help="Service A")
    command.add_argument(
        "--rows", type=parse_positive, default=300, metavar="N", help="how many (default: 300)"
    )
    command.add_argument(
        "--skip", type=parse_few, default=0, metavar="N", help="pass over the first N"
    )
    command.add_argument(
        "--seed", type=parse_seed, default=1, metavar="N", help="of their order (default: 1)"
    )
    command.add_argument(
        "--inflation",
        type=parse_inflation,
        default=0.0,
        metavar="SHARE",
        help="how much dearer all is, such as 0.12 (default: 0)",
    )
    command.add_argument(
        "--shift",
        type=parse_shift,
        action="append",
        default=[],
        metavar="FIELD=NUMBER",
        help="make a field larger by so many of its standard deviations; may be given again",
    )
    command.add_argument(
        "--actuals", action="store_true", help="report what was paid for them, afterwards"
    )
    command.add_argument(
        "--rate",
        type=parse_positive,
        default=50,
        metavar="N",
        help="at most so many a second (default: %(default)s)",
    )
    _add_models(command)
    _add_data(command)


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        default=SERVICE_FOLDER / "models",
        help="folder of models; versions are DIR/MODEL/N (default: %(default)s)",
    )


def _add_output(command: argparse.ArgumentParser, report: str) -> None:
    command.set_defaults(report=report)
    command.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help=f"where the report is written (default: .training/MODEL/{report})",
    )


def _add_mlflow(command: argparse.ArgumentParser, *, required: bool = False) -> None:
    command.add_argument(
        "--mlflow",
        type=parse_uri,
        required=required,
        metavar="URI",
        help="log to this MLflow tracking server and register there",
    )


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="local copy of the data, where the internet can't be reached; its sha256 is checked",
    )
    command.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        default=SERVICE_FOLDER / ".training",
        help="where downloads and the results of steps are kept (default: %(default)s)",
    )
    command.add_argument(
        "--jobs",
        type=parse_positive,
        default=joblib.cpu_count(),
        metavar="N",
        help="how many trainings run at once (default: one per core, %(default)s)",
    )
