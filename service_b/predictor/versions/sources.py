"""The sources of a model, made from what models.yaml says."""

import os.path
import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import unquote

from predictor.errors import ManifestError
from predictor.telemetry.redaction import hide_secrets
from predictor.version import MAX_BYTES, Source, Version
from predictor.versions.allowed_sources import LOCAL, AllowedSources
from predictor.versions.manifest import ModelEntry
from predictor.versions.mlflow_source import MlflowSource
from predictor.versions.repository import ModelRepository

# With `::`, fsspec reads one URL through another. All else is a folder, which may have a colon.
_URL = re.compile(r"models:|[A-Za-z][A-Za-z0-9+.-]*(://|::.*://)")


class ClassItself:
    """The source of a Python class that has no versions: what is in the code is the version."""

    def __init__(self, location: str) -> None:
        self.location = location

    def find(self, alias: str | None = None) -> Version:  # noqa: ARG002
        """Give the only version that there is."""
        return Version("", self.location, nullcontext)

    def list_aliases(self) -> list[str]:
        """List none."""
        return []


def build_sources(
    entry: ModelEntry, folder: Path, allowed: Sequence[str], max_bytes: int = MAX_BYTES
) -> list[Source]:
    """Make the sources of a model; relative folders are relative to `folder`.

    A version has `max_bytes` at most.

    Raises:
        ManifestError: a source isn't allowed, isn't understood, or needs what isn't installed.
    """
    if not entry.sources:
        return [ClassItself(str(entry.class_path))]
    sources = []
    for index, written in enumerate(entry.sources):
        try:
            sources.append(_build(_complete(written, folder), AllowedSources(allowed), max_bytes))
        except ImportError as error:
            message = f"needs what requirements-mlflow.txt lists ({error})"
            raise ManifestError(message, "sources", index) from error
        except ValueError as error:
            raise ManifestError(hide_secrets(str(error)), "sources", index) from error
    return sources


def _build(location: str, allowed: AllowedSources, max_bytes: int) -> Source:
    links = [location] if location.startswith(LOCAL) else location.split("::")
    if not all(map(allowed.allow, links)):
        prefixes = ", ".join(allowed.prefixes)
        raise ValueError(f"{location}: begins with none of {prefixes} (PREDICTOR_ALLOWED_SOURCES)")
    if location.startswith("models:"):
        return MlflowSource(location, max_bytes)
    return ModelRepository(location, allowed, max_bytes)


def _complete(written: str, folder: Path) -> str:
    """Write a source as a URL without `..`, so that its beginning says where it leads."""
    if written.startswith("file:"):
        return _write_url(Path(written.removeprefix("file:").removeprefix("//")))
    if not _URL.match(written):
        return _write_url(folder / written)
    if ".." in unquote(written).split("/"):
        raise ValueError("must not have .. in it")
    if re.search("[@?#]", written) and re.search(r"[\s\"']", written):
        # Whatever shows the URL could not say where a secret in it ends.
        raise ValueError("must have blanks as %20 and quotation marks as %22 or %27")
    return written


def _write_url(path: Path) -> str:
    # Not `resolve`: where links lead is found with each look.
    return f"{LOCAL}{Path(os.path.abspath(path)).as_posix()}"
