"""Which versions are served, and as what: `<models>/<name>/alias.json`, with its history."""

import json
import os
from codecs import BOM_UTF8
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from predictor.version import ALIAS, CHAMPION, Aliases
from training.errors import TrainingError

Action = Literal["register", "promote", "rollback", "retire"]


class Entry(BaseModel):
    """One choice: which version was taken, when, how and as what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    promoted_at: datetime
    action: Action
    alias: str = CHAMPION


class Alias(Aliases):
    """The version of each alias, and every choice so far, the oldest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    history: tuple[Entry, ...] = ()


def read_alias(family: Path) -> Alias | None:
    """Read the alias of a model's folder; None if it has none.

    Raises:
        TrainingError: the file can't be read, or isn't an alias.
    """
    path = family / ALIAS
    try:
        return Alias.model_validate_json(path.read_bytes().removeprefix(BOM_UTF8))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise TrainingError(f"{path} is not an alias: {error.errors()[0]['msg']}") from error


def choose(family: Path, version: str, action: Action, alias: str = CHAMPION) -> None:
    """Let an alias name `version`. Any other than the champion needs a champion beside it.

    Raises:
        TrainingError: the file can't be read or written.
    """
    former = read_alias(family)
    versions = former.versions if former else {}
    entry = Entry(version=version, promoted_at=_now(), action=action, alias=alias)
    _write(family, former, {**versions, alias: version}, entry)


def retire(family: Path, former: Alias, alias: str) -> None:
    """Take away one of the aliases beside the champion.

    Raises:
        TrainingError: the file can't be written.
    """
    versions = former.versions
    version = versions.pop(alias)
    entry = Entry(version=version, promoted_at=_now(), action="retire", alias=alias)
    _write(family, former, versions, entry)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _write(family: Path, former: Alias | None, versions: dict[str, str], entry: Entry) -> None:
    """Write the file in one step, which readers see whole or not at all."""
    champion = versions.pop(CHAMPION)
    history = (*(former.history if former else ()), entry)
    alias = Alias(champion=champion, aliases=versions, history=history)
    content = alias.model_dump(mode="json", exclude_defaults=True)
    path = family / ALIAS
    unfinished = family / f".alias-{uuid4().hex}"
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
