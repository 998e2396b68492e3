"""A version of a model as a source has it: found, not yet trusted, not yet loaded."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from predictor.errors import ModelRefused, SourceUnavailable

# A version has one of them. Both list its files with their sha256.
CARD = "card.json"
CHECKSUMS = "SHA256SUMS"


class Folder:
    """The files of one version, on any file system that fsspec knows.

    `number` is what the source calls the version, None if it has no say in that.
    """

    def __init__(self, files: Any, path: str, number: str | None) -> None:
        self._files = files
        self.path = path
        self.number = number

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises:
            ModelRefused: it isn't there or isn't a file.
            SourceUnavailable: the file system doesn't answer.
        """
        path = f"{self.path}/{name}"
        try:
            return bytes(self._files.cat_file(path))
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            reason = error.strerror or "No such file or directory"
            raise ModelRefused(f"{path}: {reason}") from error
        except Exception as error:  # each file system has errors of its own
            raise SourceUnavailable(f"{path}: {error!r}") from error


@dataclass(frozen=True)
class Version:
    """What a source wants to be served.

    `fingerprint` changes whenever anything of the version does. `open` gives its files, None
    for a class that has none.
    """

    number: str
    fingerprint: str
    open: Callable[[], AbstractContextManager[Folder | None]]


class Source(Protocol):
    """A place where versions of one model are."""

    location: str

    def find(self) -> Version:
        """Look which version is to be served.

        Raises:
            SourceUnavailable: it can't say, or has none.
        """
