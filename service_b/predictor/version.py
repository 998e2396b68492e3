"""A version of a model as a source has it: found, not yet trusted, not yet loaded."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field

from predictor.errors import ModelRefused, SourceUnavailable

# A version has one of them. Both list its files with their sha256.
CARD = "card.json"
CHECKSUMS = "SHA256SUMS"
# Beside the versions of a model: says which one is served, and which ones can be tried.
ALIAS = "alias.json"
CHAMPION = "champion"

_Number = Annotated[str, Field(pattern="^[0-9]+$")]
AliasName = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=32)]


class Aliases(BaseModel):
    """What `alias.json` says; training writes more into it."""

    model_config = ConfigDict(frozen=True)

    champion: _Number
    aliases: dict[AliasName, _Number] = Field(default={}, description="beside the champion")

    @property
    def versions(self) -> dict[str, str]:
        """The number of the version of each alias, the champion's too."""
        return {**self.aliases, CHAMPION: self.champion}


# What is needed of all files of a version is in memory at once.
MAX_BYTES = 64 * 1024 * 1024


def read_file(files: Any, path: str, max_bytes: int) -> bytes:
    """Read a file of any file system of fsspec, and no more of it than is allowed.

    Raises:
        ModelRefused: it has more than `max_bytes`, or is a device or a pipe, which has no end.
    """
    if "http" in files.protocol:
        # An opened file is asked for in parts, which not every server can send.
        content = bytes(files.cat_file(path))
    elif isinstance(files, LocalFileSystem) and files.info(path)["type"] == "other":
        raise ModelRefused(f"{path}: is not a file")
    else:
        with files.open(path, "rb") as file:
            content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise make_size_error(path, max_bytes)
    return content


def make_size_error(path: str, max_bytes: int) -> ModelRefused:
    return ModelRefused(f"{path}: more than {max_bytes} bytes (PREDICTOR_MAX_VERSION_BYTES)")


class Folder:
    """The files of one version, on any file system that fsspec can use.

    `number` is what the source calls the version, None if it has no say in that. All that is read
    of it has `max_bytes` at most.
    """

    def __init__(
        self, files: Any, path: str, number: str | None, max_bytes: int = MAX_BYTES
    ) -> None:
        self._files = files
        self.path = path
        self.number = number
        self._bytes_left = max_bytes

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises:
            ModelRefused: it isn't there, isn't a file, or is too large.
            SourceUnavailable: the file system doesn't answer.
        """
        path = f"{self.path}/{name}"
        try:
            content = read_file(self._files, path, self._bytes_left)
        except (ModelRefused, SourceUnavailable):
            raise
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            reason = error.strerror or "No such file or directory"
            raise ModelRefused(f"{path}: {reason}") from error
        except Exception as error:  # each file system has errors of its own
            raise SourceUnavailable(f"{path}: {error!r}") from error
        self._bytes_left -= len(content)
        return content

    def read_checked(self, name: str, sha256: str, authority: str) -> bytes:
        """Read a file whose sha256 must be the one that `authority`, as messages call it, names.

        Raises:
            ModelRefused: it isn't there, isn't a file, is too large, or has another sha256.
            SourceUnavailable: the file system doesn't answer.
        """
        content = self.read(name)
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise ModelRefused(f"{self.path}/{name}: sha256 is {found}, {authority} says {sha256}")
        return content


def parse_checksums(content: bytes, path: str) -> list[tuple[str, str]]:
    """Give the name and the sha256 of each file, from what the program `sha256sum` has written.

    `path` is for the message.

    Raises:
        ModelRefused: a line is something else, or names a file in another folder.
    """
    files = []
    for line in content.decode("utf-8-sig", errors="replace").splitlines():
        sha256, _, name = line.partition(" ")
        sha256 = sha256.lower()  # PowerShell's Get-FileHash writes capitals
        name = name.lstrip(" *")
        if not name or "/" in name or "\\" in name:
            raise ModelRefused(f"{path}: not a sum and a file name: {line!r}")
        files.append((name, sha256))
    return files


@dataclass(frozen=True)
class Version:
    """What a source wants to be served.

    `fingerprint` changes whenever anything of the version does. `open` gives its files, None
    for a class that has none. `find_lower` gives the version to serve in place of this one if this
    one can't be served, None if there is none.
    """

    number: str
    fingerprint: str
    open: Callable[[], AbstractContextManager[Folder | None]]
    find_lower: Callable[[], "Version | None"] = lambda: None


class Source(Protocol):
    """A place where versions of one model are."""

    @property
    def location(self) -> str: ...

    def find(self, alias: str | None = None) -> Version:
        """Look which version is to be served, or which one an alias beside the champion names.

        Raises:
            SourceUnavailable: it can't say, or has none.
        """

    def list_aliases(self) -> Sequence[str]:
        """List the aliases beside the champion.

        Raises:
            SourceUnavailable: it can't say.
        """
