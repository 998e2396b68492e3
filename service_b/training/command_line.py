"""The command line: its commands, and how one is run."""

import argparse

import joblib
from threadpoolctl import threadpool_limits

from predictor.version import CHAMPION
from training.arguments import parse_alias, parse_time
from training.command_options import (
    add_data,
    add_market,
    add_mlflow,
    add_models,
    add_output,
    add_training,
)
from training.commands import (
    RECIPES,
    compare,
    list_versions,
    promote,
    publish,
    remake,
    retire,
    roll_back,
    send_market,
    show,
    train,
    watch,
)
from training.export import API_KEY


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
        command = commands.add_parser(recipe.name, help=f"train: {recipe.title}")
        command.set_defaults(act=train, model=recipe.name)
        add_training(command)

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
    add_mlflow(command, required=True)
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
    add_output(command, "compare")
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
    add_output(command, "watch")
    command = _add_command(
        commands, "reproduce", "train a version again and compare all its predictions", remake
    )
    command.add_argument("version", nargs="?", help="default: the one that is served")
    add_data(command)
    words = "send the sales that are held out through Service A, in a market that has changed"
    command = commands.add_parser("market", help=words, description=words)
    command.set_defaults(act=send_market)
    add_market(command)
    return parser


def _add_command(  # type: ignore[no-untyped-def]
    commands, name: str, words: str, act, *, optional: bool = False
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    command.set_defaults(act=act)
    command.add_argument("model", choices=RECIPES, nargs="?" if optional else None)
    add_models(command)
    return command
