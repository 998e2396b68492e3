"""The model repository: a folder of versions, on any file system that fsspec knows."""

import hashlib
import json
from contextlib import nullcontext
from typing import Any

from fsspec.core import url_to_fs  # type: ignore[import-untyped]

from predictor.card import parse_card
from predictor.errors import ModelRefused, SourceUnavailable
from predictor.version import ALIAS, CARD, CHECKSUMS, Folder, Version, parse_checksums

_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_TOTAL_SECONDS = 300


class ModelRepository:
    """Versions of one model in `<location>/<number>/`.

    The alias `champion` in `<location>/alias.json` says which is served; without that file the
    highest number is.
    """

    def __init__(self, location: str) -> None:
        """Take a URL or a path.

        Raises:
            ImportError: what its protocol needs isn't installed.
            ValueError: there is no such protocol.
        """
        self.location = location
        self._files, path = url_to_fs(location, **_choose_options(location))
        self._path = str(path).rstrip("/")

    def find(self) -> Version:
        """Find the version that the alias names, or else the highest.

        Raises:
            SourceUnavailable: there is none, or the file system doesn't answer.
        """
        try:
            self._files.invalidate_cache()
            number = self._read_champion() or self._find_highest()
            path = f"{self._path}/{number}"
            fingerprint = self._identify(path)
        except SourceUnavailable:
            raise
        except Exception as error:  # each file system has errors of its own
            raise SourceUnavailable(f"{self.location}: {error!r}") from error
        folder = Folder(self._files, path, number)
        return Version(number, fingerprint, lambda: nullcontext(folder))

    def _read_champion(self) -> str | None:
        try:
            content = self._files.cat_file(f"{self._path}/{ALIAS}")
        except FileNotFoundError:
            return None
        try:
            champion = json.loads(content)["champion"]
        except (ValueError, KeyError, TypeError) as error:
            raise SourceUnavailable(f"{self.location}/{ALIAS} names no champion") from error
        if not (isinstance(champion, str) and _is_number(champion)):
            raise SourceUnavailable(f"{self.location}/{ALIAS}: {champion!r} is no version")
        return champion

    def _find_highest(self) -> str:
        try:
            entries = self._files.ls(self._path, detail=True)
        except FileNotFoundError:
            entries = []
        numbers = [
            name
            for entry in entries
            if entry["type"] == "directory" and _is_number(name := _last_part(entry["name"]))
        ]
        if not numbers:
            raise SourceUnavailable(f"{self.location}: no version is there")
        return max(numbers, key=int)

    def _identify(self, path: str) -> str:
        """Sum up what the version's list of files says, and how those files look from outside."""
        parts = [path]
        for name in (CARD, CHECKSUMS):
            try:
                content = bytes(self._files.cat_file(f"{path}/{name}"))
            except FileNotFoundError:
                continue
            parts.append(hashlib.sha256(content).hexdigest())
            parts += [self._look_at(f"{path}/{file}") for file in _list_files(name, content)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _look_at(self, path: str) -> str:
        try:
            info: dict[str, Any] = self._files.info(path)
        except FileNotFoundError:
            return "missing"
        # A server that redirects may sign the URL anew each time.
        return repr(sorted((key, value) for key, value in info.items() if key != "url"))


def _choose_options(location: str) -> dict[str, Any]:
    if not location.startswith(("http://", "https://")):
        return {}
    # A server that hangs keeps its model's watcher for half a minute, one that trickles for five.
    from aiohttp import ClientTimeout

    timeout = ClientTimeout(
        total=_TOTAL_SECONDS, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS
    )
    return {"client_kwargs": {"timeout": timeout}}


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
