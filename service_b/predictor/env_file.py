"""The file of variables, `.env`. A variable that is in the environment already wins."""

import os
from pathlib import Path

from dotenv.parser import parse_stream

from predictor.settings import SERVICE_FOLDER, SettingsError

_FILE_NAME = ".env"


def load_env_file(file: Path | None = None) -> None:
    """Read `file`, or what LAB_ENV_FILE names, or else `.env` if it is there.

    All names are taken, since libraries read variables too. Values stay as they are written.

    Raises:
        SettingsError: the file can't be read, or has a line that sets nothing.
    """
    named = file or os.environ.get("LAB_ENV_FILE")
    path = Path(named or SERVICE_FOLDER / _FILE_NAME)
    if not named and not path.is_file():
        return
    given = {name.upper() for name in os.environ}  # settings are found in any letter case
    try:
        variables = _read(path)
    except OSError as error:
        by = "" if file else " (LAB_ENV_FILE)"
        raise SettingsError(f"{path}: {error.strerror}{by}") from error
    for name, value in variables.items():
        if name.upper() not in given:
            os.environ[name] = value


def _read(path: Path) -> dict[str, str]:
    variables = {}
    try:
        # Some editors on Windows begin a file with a byte order mark.
        with path.open(encoding="utf-8-sig") as file:
            for each in parse_stream(file):
                name, value, (text, line), is_wrong = each
                if is_wrong or "\0" in text or (name and (value is None or "=" in name)):
                    line += text[: -len(text.lstrip())].count("\n")
                    raise SettingsError(f"{path} line {line}: must be NAME=value")
                if name and value is not None:
                    variables[name] = value
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8") from error
    return variables
