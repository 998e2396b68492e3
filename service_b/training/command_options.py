"""The options of the commands that have many, and those that several commands share."""

import argparse
from pathlib import Path

import joblib

from training.arguments import (
    parse_few,
    parse_inflation,
    parse_positive,
    parse_seed,
    parse_shift,
    parse_steps,
    parse_time,
    parse_uri,
)
from training.commands import RECIPES, SERVICE_FOLDER
from training.export import API_KEY
from training.pipeline import STEPS


def add_training(command: argparse.ArgumentParser) -> None:
    command.description = (
        f"The steps, in order: {', '.join(STEPS)}. Without --steps, those run whose result is "
        "missing or no longer fits, because a step before, the code or an option changed. What "
        "was stopped goes on where it was."
    )
    command.add_argument(
        "--steps",
        type=parse_steps,
        default=(),
        metavar="STEP,…",
        help="run just these steps, from the results of those before; `all` runs every step anew",
    )
    add_data(command)
    add_models(command)
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
        default=20,
        metavar="N",
        help="on how many other splits evaluate measures, beside five folds of all rows, new "
        "places and a later year; 0 measures none of these (default: %(default)s)",
    )
    command.add_argument(
        "--seed",
        type=parse_seed,
        default=0,
        metavar="N",
        help="seed of everything random but the hold-out (default: %(default)s)",
    )
    add_mlflow(command)


def add_market(command: argparse.ArgumentParser) -> None:
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
    add_models(command)
    add_data(command)


def add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        default=SERVICE_FOLDER / "models",
        help="folder of models; versions are DIR/MODEL/N (default: %(default)s)",
    )


def add_output(command: argparse.ArgumentParser, report: str) -> None:
    command.set_defaults(report=report)
    command.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help=f"where the report is written (default: .training/MODEL/{report})",
    )


def add_mlflow(command: argparse.ArgumentParser, *, required: bool = False) -> None:
    command.add_argument(
        "--mlflow",
        type=parse_uri,
        required=required,
        metavar="URI",
        help="log to this MLflow tracking server and register there",
    )


def add_data(command: argparse.ArgumentParser) -> None:
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
