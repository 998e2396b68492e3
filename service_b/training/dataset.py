"""Raw data files: downloaded once, checked by sha256, never changed."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm import tqdm

from training.errors import TrainingError

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Dataset:
    """A published file whose bytes are known."""

    file_name: str
    url: str
    sha256: str


def read_dataset(dataset: Dataset, file: Path | None, cache_folder: Path) -> bytes:
    """Take the raw data from `file` if given, else from the cache, else from the internet.

    Raises:
        TrainingError: the file can't be read or downloaded, or its bytes aren't the known ones.
    """
    if file is not None:
        return _read_checked(dataset, file)
    cached = cache_folder / dataset.file_name
    if cached.exists():
        try:
            return _read_checked(dataset, cached)
        except TrainingError as error:
            print(f"{error}; downloading it again")
    _download(dataset, cached)
    return _read_checked(dataset, cached)


def _read_checked(dataset: Dataset, file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise TrainingError(f"cannot read {file}: {error.strerror or error}") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != dataset.sha256:
        raise TrainingError(
            f"{file} is not the {dataset.file_name} this model is trained on: "
            f"its sha256 is {sha256}, expected {dataset.sha256}"
        )
    return content


def _download(dataset: Dataset, target: Path) -> None:
    timeouts = (CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            # Beside the target, so that the last step is a rename: no half file is ever there.
            tempfile.TemporaryDirectory(dir=target.parent) as folder,
            requests.get(dataset.url, stream=True, timeout=timeouts) as response,
        ):
            response.raise_for_status()
            partial = Path(folder, dataset.file_name)
            with (
                partial.open("wb") as file,
                tqdm(
                    desc=dataset.file_name,
                    total=int(response.headers.get("Content-Length", 0)) or None,
                    unit="B",
                    unit_scale=True,
                    disable=None,  # only where somebody watches
                ) as progress,
            ):
                for block in response.iter_content(chunk_size=64 * 1024):
                    file.write(block)
                    progress.update(len(block))
            partial.replace(target)
    except requests.RequestException as error:
        raise TrainingError(
            f"cannot download {dataset.url} ({type(error).__name__}); "
            "give a local copy with --data FILE"
        ) from error
    except OSError as error:
        raise TrainingError(f"cannot write {target}: {error.strerror or error}") from error
