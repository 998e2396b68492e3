"""The model repository: a folder of versions, on any file system that fsspec can use."""

import hashlib
import os
from codecs import BOM_UTF8
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from fsspec.core import url_to_fs  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from pydantic import ValidationError

from predictor.card import parse_card
from predictor.errors import ModelRefused, SourceUnavailable
from predictor.version import (
    ALIAS,
    CARD,
    CHAMPION,
    CHECKSUMS,
    MAX_BYTES,
    Aliases,
    Folder,
    Version,
    parse_checksums,
    read_file,
)
from predictor.versions.allowed_sources import ANY, LOCAL, AllowedSources


class ModelRepository:
    """Versions of one model in `<location>/<number>/`.

    The alias `champion` in `<location>/alias.json` says which is served; without that file the
    highest number is, or the next lower one if that can't be served. Its `aliases` name others.

    Symbolic links are followed anew with each look, and a version is read from where they led
    then: Kubernetes swaps a link to change all files of a volume at once.
    """

    def __init__(
        self,
        location: str,
        allowed: AllowedSources = ANY,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Take a URL or a path.

        `allowed` says where links and redirects may lead; a version has `max_bytes` at most.

        Raises:
            ImportError: what its protocol needs isn't installed.
            ValueError: there is no such protocol.
        """
        self.location = location
        self._files, self._path = _open(location, allowed, max_bytes)
        self._allowed = allowed
        self._max_bytes = max_bytes

    def find(self, alias: str | None = None) -> Version:
        """Find the version that an alias names; without one the champion, or else the highest.

        Raises:
            SourceUnavailable: there is none, or the file system doesn't answer.
        """
        try:
            path = self._look_anew()
            chosen = self._read_aliases(path)
            if alias is None and chosen is None:
                numbers = self._list_numbers(path)
            else:
                numbers = [chosen.versions[alias or CHAMPION]] if chosen else []
        except SourceUnavailable:
            raise
        except Exception as error:  # each file system has errors of its own
            raise SourceUnavailable(f"{self.location}: {error!r}") from error
        return self._find_first(path, numbers)

    def list_aliases(self) -> list[str]:
        """List the aliases beside the champion.

        Raises:
            SourceUnavailable: `alias.json` is malformed, or the file system doesn't answer.
        """
        try:
            chosen = self._read_aliases(self._look_anew())
        except SourceUnavailable:
            raise
        except Exception as error:
            raise SourceUnavailable(f"{self.location}: {error!r}") from error
        return sorted(chosen.versions.keys() - {CHAMPION}) if chosen else []

    def _look_anew(self) -> str:
        self._files.invalidate_cache()
        return self._follow(self._path)

    def _find_first(self, parent: str, numbers: Sequence[str]) -> Version:
        number, *lower = numbers
        version = partial(
            Version, number, find_lower=lambda: self._find_first(parent, lower) if lower else None
        )
        try:
            path = self._follow(f"{parent}/{number}")
            fingerprint = self._identify(path)
        except (ModelRefused, IsADirectoryError, NotADirectoryError, PermissionError) as error:
            # It is this version that can't be read; a lower one may be.
            refusal = ModelRefused(f"{self.location}/{number}: {_describe(error)}")
            return version(str(refusal), partial(_refuse, refusal))
        except Exception as error:
            raise SourceUnavailable(f"{self.location}: {error!r}") from error
        folder = Folder(self._files, path, number, self._max_bytes)
        return version(fingerprint, lambda: nullcontext(folder))

    def _follow(self, path: str) -> str:
        """Say where symbolic links lead now; only local folders have any."""
        if not isinstance(self._files, LocalFileSystem):
            return path
        real = Path(os.path.realpath(path)).as_posix()
        if os.path.islink(real):
            raise ModelRefused("a link leads in a circle")
        if not self._allowed.allow(f"{LOCAL}{real}"):
            raise ModelRefused(f"a link leads to {real}, which isn't allowed")
        return real

    def _read_aliases(self, path: str) -> Aliases | None:
        try:
            content = self._read(f"{path}/{ALIAS}").removeprefix(BOM_UTF8)
            return Aliases.model_validate_json(content)
        except FileNotFoundError:
            return None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(["", *map(str, first["loc"])])
            message = f"{self.location}/{ALIAS}{where}: {first['msg']}"
            raise SourceUnavailable(message) from error

    def _list_numbers(self, path: str) -> list[str]:
        """List the versions, the highest first."""
        try:
            entries = self._files.ls(path, detail=True)
        except FileNotFoundError:
            entries = []
        numbers = [
            name
            for entry in entries
            if _is_number(name := _last_part(entry["name"])) and self._is_folder(entry)
        ]
        if not numbers:
            raise SourceUnavailable(f"{self.location}: no version is there")
        return sorted(numbers, key=int, reverse=True)

    def _is_folder(self, entry: dict[str, Any]) -> bool:
        return entry["type"] == "directory" or (
            bool(entry.get("islink")) and bool(self._files.isdir(entry["name"]))
        )

    def _identify(self, path: str) -> str:
        """Give a sum of the version's list of files and of what the file system says of each."""
        parts = [path]
        for name in (CARD, CHECKSUMS):
            try:
                content = self._read(f"{path}/{name}")
            except FileNotFoundError:
                continue
            except ModelRefused:
                # Loading it fails for the same reason, which is then remembered.
                parts.append(self._look_at(f"{path}/{name}"))
                continue
            parts.append(hashlib.sha256(content).hexdigest())
            parts += [self._look_at(f"{path}/{file}") for file in _list_files(name, content)]
        return hashlib.sha256(os.fsencode("\n".join(parts))).hexdigest()

    def _read(self, path: str) -> bytes:
        return read_file(self._files, self._follow(path), self._max_bytes)

    def _look_at(self, path: str) -> str:
        try:
            info: dict[str, Any] = self._files.info(self._follow(path))
        except FileNotFoundError:
            return "missing"
        # A server that redirects may sign the URL anew each time.
        return repr(sorted((key, value) for key, value in info.items() if key != "url"))


def _refuse(refusal: ModelRefused) -> NoReturn:
    raise refusal


def _describe(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _open(location: str, allowed: AllowedSources, max_bytes: int) -> tuple[Any, str]:
    """Give the file system of a URL or path, and the path in it."""
    if location.startswith((LOCAL, "/")):
        # fsspec would take `::` in a folder's name for a URL within a URL.
        return LocalFileSystem(), location.removeprefix(LOCAL).rstrip("/") or "/"
    options = {}
    if location.startswith(("http://", "https://")):
        # What it imports is installed only where it is needed.
        from predictor.versions.http_client import make_options

        options = make_options(allowed, max_bytes)
    files, path = url_to_fs(location, **options)
    return files, str(path).rstrip("/")


def _list_files(name: str, content: bytes) -> list[str]:
    try:
        if name == CHECKSUMS:
            return [file for file, _ in parse_checksums(content, name)]
        return [artifact.file for artifact in parse_card(content, name).artifacts]
    except ModelRefused:
        return []


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()


def _last_part(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
