"""What `predictor` and `python main.py` do: run the service, or write its OpenAPI document."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from predictor.env_file import load_env_file
from predictor.errors import ManifestError
from predictor.serving.server import serve
from predictor.serving.standard_streams import open_closed_streams
from predictor.settings import (
    SettingsError,
    check_foreign_variables,
    list_settings,
    load_settings,
)


def main(name: str = "predictor", arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for; `name` is what was called."""
    open_closed_streams()
    options = _parse(name, arguments)
    output = options.pop("output", None)
    app = make_app(**options)
    if output:
        _write_openapi(app, output)
    else:
        serve(app, app.state.settings, partial(make_app, **options))


def make_app(env_file: Path | None = None, models: Path | None = None) -> FastAPI:
    """Make the application; a wrong setting ends the process with one line."""
    try:
        load_env_file(env_file)
        check_foreign_variables()
        if models:
            os.environ["PREDICTOR_MODELS"] = str(models)
        settings = load_settings()
        # Imported after the checks: its libraries read the variables, and take a second or two.
        from predictor.app import create_app

        return create_app(settings)
    except (SettingsError, ManifestError) as error:
        sys.exit(str(error))


def _parse(name: str, arguments: Sequence[str] | None) -> dict[str, Path]:
    files = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    files.add_argument(
        "--models", type=Path, metavar="FILE", help="file that lists the models (PREDICTOR_MODELS)"
    )
    files.add_argument(
        "--env-file", type=Path, metavar="FILE", help="read variables from it instead of from .env"
    )
    parser = argparse.ArgumentParser(
        prog=name,
        usage=f"{name} [-h] [--models FILE] [--env-file FILE] [openapi --output FILE]",
        description="Runs Service B until it is stopped, with Ctrl-C or SIGTERM.",
        epilog="Environment variables; README.md says under Settings what each does:\n\n"
        + "\n".join(f"  {each}" for each in list_settings()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[files],
    )
    words = "write the OpenAPI document, with the models, instead"
    openapi = parser.add_subparsers(prog=name, title="commands", metavar="COMMAND").add_parser(
        "openapi", help=words, description=f"{words.capitalize()} of running.", parents=[files]
    )
    openapi.add_argument("--output", type=Path, required=True, metavar="FILE")
    return vars(parser.parse_args(arguments))


def _write_openapi(app: FastAPI, file: Path) -> None:
    for deployment in app.state.deployments:
        deployment.check()
    missing = [each for each in app.state.deployments if each.source is None]
    if missing:
        sys.exit("; ".join(f"{each.name}: {each.last_error}" for each in missing))
    try:
        file.write_text(json.dumps(app.openapi(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        sys.exit(f"{file}: {error.strerror}")
