"""MLflow's model registry as a source: `models:/ames@champion` or `models:/ames/3`."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from predictor.errors import ModelRefused, SourceUnavailable
from predictor.version import CARD, CHECKSUMS, MAX_BYTES, Folder, Version, make_size_error

_LOCATION = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>[0-9]+))")
_MAX_FOLDERS = 100
_SERVERS = ("MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI")


class MlflowSource:
    """The version that an alias of a registered model names; the server is MLflow's own setting.

    Among the artifacts of such a version is a version folder, with `card.json` or `SHA256SUMS`.
    The number in the card counts; a version without a card has the one that MLflow gave it.
    """

    def __init__(self, location: str, max_bytes: int = MAX_BYTES) -> None:
        """Take a location; nothing is asked of the server yet.

        Raises:
            ValueError: it is no such location, or no server is set.
            ImportError: MLflow isn't installed.
        """
        match = _LOCATION.fullmatch(location)
        if match is None:
            raise ValueError("a registered model is written models:/NAME@ALIAS or models:/NAME/3")
        server = next((each for each in _SERVERS if os.environ.get(each)), None)
        if server is None:
            raise ValueError("MLFLOW_TRACKING_URI must name the MLflow server")
        # MLflow itself waits minutes for each request, and the watcher would wait as long.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        import mlflow

        self.location = location
        self._max_bytes = max_bytes
        self._name, self._alias, self._number = match.group("name", "alias", "number")
        try:
            self._client: Any = mlflow.MlflowClient()
        except Exception as error:  # MLflow's own, which is no ValueError
            reason = str(error).partition("\n")[0]
            raise ValueError(f"the server that {server} names can't be used: {reason}") from error

    def find(self, alias: str | None = None) -> Version:
        """Ask the server which version it is.

        Raises:
            SourceUnavailable: it has no such version, or doesn't answer.
        """
        alias = alias or self._alias
        try:
            if alias:
                found = self._client.get_model_version_by_alias(self._name, alias)
            else:
                found = self._client.get_model_version(self._name, self._number)
        except Exception as error:  # MLflow lets through errors of several libraries
            raise SourceUnavailable(f"{self.location}: {error!r}") from error
        fingerprint = f"{found.name}/{found.version} {found.creation_timestamp} {found.source}"
        return Version(str(found.version), fingerprint, lambda: self._download(found.version))

    def list_aliases(self) -> list[str]:
        """List the model's other aliases; none beside a version that is named by its number.

        Raises:
            SourceUnavailable: the server doesn't answer.
        """
        if not self._alias:
            return []
        try:
            aliases = self._client.get_registered_model(self._name).aliases
        except Exception as error:
            raise SourceUnavailable(f"{self.location}: {error!r}") from error
        return sorted(aliases.keys() - {self._alias})

    @contextmanager
    def _download(self, number: str) -> Iterator[Folder]:
        from mlflow.artifacts import download_artifacts

        with TemporaryDirectory() as target:
            try:
                artifacts = f"models:/{self._name}/{number}"
                self._check_size(artifacts)
                download_artifacts(artifact_uri=artifacts, dst_path=target)
            except ModelRefused:
                raise
            except Exception as error:
                raise SourceUnavailable(f"{self.location}: {error!r}") from error
            folders = {
                path.parent for index in (CARD, CHECKSUMS) for path in Path(target).rglob(index)
            }
            if len(folders) != 1:
                raise ModelRefused(
                    f"{self.location}: version {number} has {len(folders)} folders with a "
                    f"{CARD} or {CHECKSUMS}, one is needed"
                )
            folder = folders.pop()
            has_card = (folder / CARD).exists()
            number_of_folder = None if has_card else number
            yield Folder(LocalFileSystem(), str(folder), number_of_folder, self._max_bytes)

    def _check_size(self, artifacts: str) -> None:
        """Refuse what would fill the disk: all of a version is downloaded before any is read."""
        from mlflow.artifacts import list_artifacts

        bytes_left = self._max_bytes
        folders = [""]
        for folder in folders:  # it grows meanwhile
            for found in list_artifacts(artifact_uri=f"{artifacts}/{folder}".rstrip("/")):
                if found.is_dir and found.path not in folders:
                    folders.append(found.path)
                bytes_left -= found.file_size or 0
                if bytes_left < 0 or len(folders) > _MAX_FOLDERS:
                    raise make_size_error(self.location, self._max_bytes)
