"""What `gateway` and `python main.py` do: run the service, or write its OpenAPI document."""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from gateway.env_file import load_env_file
from gateway.serving.memory import return_large_blocks
from gateway.serving.server import serve
from gateway.serving.standard_streams import open_closed_streams
from gateway.settings import SettingsError, list_settings, load_settings


def main(name: str = "gateway", arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for; `name` is what was called."""
    open_closed_streams()
    options = _parse(name, arguments)
    output = options.pop("output", None)
    app = make_app(**options)
    if output:
        _write_openapi(app, output)
    else:
        serve(app, app.state.settings, partial(make_app, **options))


def make_app(env_file: Path | None = None) -> FastAPI:
    """Make the application; a wrong setting ends the process with one line."""
    return_large_blocks()
    try:
        load_env_file(env_file)
        settings = load_settings()
        # Imported only now: its libraries read variables when they are imported, and take a while.
        from gateway.app import create_app

        return create_app(settings)
    except SettingsError as error:
        sys.exit(str(error))


def _parse(name: str, arguments: Sequence[str] | None) -> dict[str, Path]:
    files = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    files.add_argument(
        "--env-file", type=Path, metavar="FILE", help="read variables from it instead of from .env"
    )
    parser = argparse.ArgumentParser(
        prog=name,
        usage=f"{name} [-h] [--env-file FILE] [openapi --output FILE]",
        description="Runs Service A until it is stopped, with Ctrl-C or SIGTERM.",
        epilog="Environment variables; README.md says under Settings what each does:\n\n"
        + "\n".join(f"  {each}" for each in list_settings()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[files],
    )
    words = "write the OpenAPI document instead"
    openapi = parser.add_subparsers(prog=name, title="commands", metavar="COMMAND").add_parser(
        "openapi", help=words, description=f"{words.capitalize()} of running.", parents=[files]
    )
    openapi.add_argument("--output", type=Path, required=True, metavar="FILE")
    return vars(parser.parse_args(arguments))


def _write_openapi(app: FastAPI, file: Path) -> None:
    try:
        file.write_text(json.dumps(app.openapi(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        sys.exit(f"{file}: {error.strerror}")
