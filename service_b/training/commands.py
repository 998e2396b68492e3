"""The command line: from the raw data to a registered version, and what is served of them."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import joblib
from pydantic import TypeAdapter, ValidationError
from threadpoolctl import threadpool_limits

from predictor.version import CHAMPION, AliasName
from training import tracking, versions
from training.ames import RECIPE as AMES
from training.california import RECIPE as CALIFORNIA
from training.errors import NoVerdict, TrainingError
from training.export import API_KEY, read_export
from training.pipeline import STEPS, run_pipeline
from training.reproduction import reproduce
from training.steps import Options, Run
from training.workspace import Workspace

RECIPES = {recipe.name: recipe for recipe in (AMES, CALIFORNIA)}
SERVICE_FOLDER = Path(__file__).resolve().parents[1]
# Of trials, splits and processes: more is a slip of the hand.
_MOST = 10_000


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
        type=_parse_alias,
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
        "--since", type=_parse_time, metavar="TIME", help="only inputs received then or later"
    )
    command.add_argument("--version", help="default: the one that is served")
    command.add_argument("--json", action="store_true", help="print all findings as JSON")
    _add_output(command, "watch")
    command = _add_command(
        commands, "reproduce", "train a version again and compare all its predictions", remake
    )
    command.add_argument("version", nargs="?", help="default: the one that is served")
    _add_data(command)
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
    )
    recipe = RECIPES[options.model]
    workspace = Workspace(options.work / recipe.name)
    with workspace.lock():
        run_pipeline(Run(recipe, chosen, workspace), options.steps)


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


def _add_training(command: argparse.ArgumentParser, model: str) -> None:
    command.description = (
        f"The steps, in order: {', '.join(STEPS)}. Without --steps, those run whose result is "
        "missing or no longer fits, because a step before, the code or an option changed. What "
        "was stopped goes on where it was."
    )
    command.set_defaults(act=train, model=model)
    command.add_argument(
        "--steps",
        type=_parse_steps,
        default=(),
        metavar="STEP,…",
        help="run just these steps, from the results of those before; `all` runs every step anew",
    )
    _add_data(command)
    _add_models(command)
    command.add_argument(
        "--trials",
        type=_parse_positive,
        default=15,
        metavar="N",
        help="how many parameters tune tries, earlier ones counted (default: %(default)s)",
    )
    command.add_argument(
        "--splits",
        type=_parse_few,
        default=5,
        metavar="N",
        help="on how many other splits evaluate measures, too (default: %(default)s)",
    )
    command.add_argument(
        "--seed",
        type=_parse_seed,
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
        type=_parse_uri,
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
        type=_parse_positive,
        default=joblib.cpu_count(),
        metavar="N",
        help="how many trainings run at once (default: one per core, %(default)s)",
    )


def _parse_steps(text: str) -> tuple[str, ...]:
    names = tuple(STEPS) if text == "all" else tuple(text.split(","))
    for name in names:
        if name not in STEPS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(STEPS)}")
    return names


def _parse_seed(text: str) -> int:
    """Read a whole number that numpy and scikit-learn take as a seed, too."""
    return _parse_count(text, 2**32 - 1)


def _parse_few(text: str) -> int:
    return _parse_count(text, _MOST)


def _parse_positive(text: str) -> int:
    if _parse_few(text) == 0:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def _parse_count(text: str, most: int) -> int:
    # Python reads no number of thousands of digits.
    if not text.isdecimal() or len(text) > len(str(most)) or int(text) > most:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a whole number from 0 to {most}")
    return int(text)


def _parse_time(text: str) -> datetime:
    """Read a date or a time, in UTC unless it has an offset."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        problem = f"{text[:40]!r} is not a time such as 2026-11-02 or 2026-11-02T08:00:00Z"
        raise argparse.ArgumentTypeError(problem) from error


def _parse_alias(text: str) -> str:
    try:
        return TypeAdapter(AliasName).validate_python(text)
    except ValidationError as error:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: {error.errors()[0]['msg']}") from error


def _parse_uri(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text
