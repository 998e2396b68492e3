"""Raw data files: downloaded once, checked by sha256, never changed."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.exceptions import InvalidSchema, InvalidURL, ProxyError, SSLError
from tqdm import tqdm

from training.errors import TrainingError

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 30
# What requests reads from the environment.
_PROXIES = ("HTTPS_PROXY", "ALL_PROXY")
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE")


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
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            # Beside the target, so that the last step is a rename: no half file is ever there.
            tempfile.TemporaryDirectory(dir=target.parent) as folder,
            _open(dataset.url) as response,
        ):
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
        raise _describe(dataset.url, error) from error
    except OSError as error:
        raise TrainingError(f"cannot write {target}: {error.strerror or error}") from error


def _open(url: str) -> requests.Response:
    timeouts = (CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS)
    try:
        response = requests.get(url, stream=True, timeout=timeouts)
        response.raise_for_status()
    except OSError as error:  # also a file that a variable names and that can't be read
        raise _describe(url, error) from error
    return response


def _describe(url: str, error: OSError) -> TrainingError:
    problem = type(error).__name__
    read: tuple[str, ...] = ()
    if isinstance(error, ProxyError | InvalidURL | InvalidSchema):  # the URL itself is valid
        read = _PROXIES
    elif isinstance(error, SSLError) or not isinstance(error, requests.RequestException):
        read = _CERTIFICATES
    set_here = [name for name in os.environ if name.upper() in read]
    if set_here:
        problem += f"; see {', '.join(set_here)}"
    return TrainingError(f"cannot download {url} ({problem}); give a local copy with --data FILE")
