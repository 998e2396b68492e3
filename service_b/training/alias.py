"""Which version is served: `<models>/<name>/alias.json`, with the history of that choice."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from predictor.version import ALIAS
from training.errors import TrainingError


class Entry(BaseModel):
    """One choice: which version was taken, when and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    promoted_at: datetime
    action: Literal["register", "promote", "rollback"]


class Alias(BaseModel):
    """The version that is served, and every choice so far, the oldest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    champion: str
    history: tuple[Entry, ...] = ()


def read_alias(family: Path) -> Alias | None:
    """Read the alias of a model's folder; None if it has none.

    Raises:
        TrainingError: the file can't be read, or isn't an alias.
    """
    path = family / ALIAS
    try:
        return Alias.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise TrainingError(f"{path} is not an alias: {error.errors()[0]['msg']}") from error


def choose(family: Path, version: str, action: Literal["register", "promote", "rollback"]) -> None:
    """Make `version` the one that is served, in one step that readers see whole or not at all.

    Raises:
        TrainingError: the file can't be read or written.
    """
    former = read_alias(family)
    now = datetime.now(UTC).replace(microsecond=0)
    entry = Entry(version=version, promoted_at=now, action=action)
    alias = Alias(champion=version, history=(*(former.history if former else ()), entry))
    path = family / ALIAS
    unfinished = family / f".alias-{uuid4().hex}"
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(json.dumps(alias.model_dump(mode="json"), indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
