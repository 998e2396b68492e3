import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.training.http_server import serving
from training.dataset import Dataset, read_dataset
from training.errors import TrainingError

CONTENT = b"Order\tSalePrice\n" + b"1\t215000\n" * 20_000


class Publisher(ThreadingHTTPServer):
    """A real server on a free port; what it answers can be changed between requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.content = CONTENT
        self.announced_size = len(CONTENT)
        self.requests = 0

    @property
    def dataset(self) -> Dataset:
        return Dataset(
            file_name="sales.txt",
            url=f"http://127.0.0.1:{self.server_port}/sales.txt",
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        )


class _Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(self.server.announced_size))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    server = Publisher()
    with serving(server):
        yield server


def test_data_is_downloaded_once_and_then_taken_from_the_cache(
    publisher: Publisher, tmp_path: Path
) -> None:
    cache = tmp_path / "new" / "cache"
    assert read_dataset(publisher.dataset, None, cache) == CONTENT
    assert read_dataset(publisher.dataset, None, cache) == CONTENT
    assert publisher.requests == 1
    assert [file.name for file in cache.iterdir()] == ["sales.txt"]


def test_data_is_downloaded_again_when_the_cache_is_corrupt(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "sales.txt").write_bytes(CONTENT[:-1])
    assert read_dataset(publisher.dataset, None, tmp_path) == CONTENT
    assert publisher.requests == 1


def test_download_is_refused_when_its_checksum_is_wrong(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.content = b"x" * len(CONTENT)
    with pytest.raises(TrainingError, match=r"sha256 is .* expected"):
        read_dataset(publisher.dataset, None, tmp_path)


@pytest.mark.parametrize(("status", "announced_size"), [(404, len(CONTENT)), (200, 10**7)])
def test_failed_download_says_to_use_a_local_file_and_leaves_nothing(
    publisher: Publisher, tmp_path: Path, status: int, announced_size: int
) -> None:
    publisher.status, publisher.announced_size = status, announced_size
    with pytest.raises(TrainingError, match=r"cannot download .* --data FILE"):
        read_dataset(publisher.dataset, None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_download_fails_in_one_line_when_nobody_listens(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = publisher.dataset
    publisher.server_close()
    with pytest.raises(TrainingError, match="ConnectionError") as caught:
        read_dataset(dataset, None, tmp_path)
    assert "\n" not in str(caught.value)


def test_cache_that_cannot_be_written_is_named(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"cannot write .*file"):
        read_dataset(publisher.dataset, None, tmp_path / "file" / "cache")


def test_local_file_is_taken_without_a_download(publisher: Publisher, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(CONTENT)
    assert read_dataset(publisher.dataset, file, tmp_path / "cache") == CONTENT
    assert publisher.requests == 0
    assert not (tmp_path / "cache").exists()


def test_local_file_is_refused_when_its_checksum_is_wrong(
    publisher: Publisher, tmp_path: Path
) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(CONTENT.replace(b"\n", b"\r\n"))
    with pytest.raises(TrainingError, match=r"mine\.txt is not the sales\.txt"):
        read_dataset(publisher.dataset, file, tmp_path)
    assert publisher.requests == 0


def test_local_file_is_refused_when_it_is_missing(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot read .*none\.txt: No such file"):
        read_dataset(publisher.dataset, tmp_path / "none.txt", tmp_path)
