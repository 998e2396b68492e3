"""What `python main.py --help` says."""

import argparse
from collections.abc import Sequence

from gateway.settings import Settings


def parse_arguments(arguments: Sequence[str] | None = None) -> None:
    """Refuse any argument, and say what can be set instead."""
    lines = [f"  {_name(field)} ({_tell(field)})" for field in Settings.model_fields]
    argparse.ArgumentParser(
        prog="python main.py",
        description="Runs Service A until it is stopped, with Ctrl-C or SIGTERM.",
        epilog="Environment variables; README.md says under Settings what each does:\n\n"
        + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args(arguments)


def _name(field: str) -> str:
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"GATEWAY_{field.upper()}"


def _tell(field: str) -> str:
    default = Settings.model_fields[field].default
    return "unset" if default is None else str(default)
