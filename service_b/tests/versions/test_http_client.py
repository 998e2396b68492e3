"""A web server that sends files without an end, and one that sends them compressed."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from predictor.errors import ModelRefused, SourceUnavailable
from predictor.versions.allowed_sources import AllowedSources
from predictor.versions.repository import ModelRepository
from tests.versions.test_repository import QuietHandler, serve

WriteVersion = Callable[..., Path]
MAX_BYTES = 256 * 1024


class EndlessHandler(QuietHandler):
    """Sends the file that `endless` names without a length and without an end."""

    endless = ""

    def send_head(self) -> Any:
        if not self.path.endswith(self.endless) or self.command == "HEAD":
            return super().send_head()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" " * 65536)
        except OSError:
            return None  # the client has had enough


class SwellingHandler(QuietHandler):
    """Sends a few bytes that are many when they are unpacked."""

    def send_head(self) -> Any:
        if not self.path.endswith(".joblib") or self.command == "HEAD":
            return super().send_head()
        content = gzip.compress(bytes(10 * MAX_BYTES))
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None


class SendingOnHandler(QuietHandler):
    """Redirects each request for an artifact to another server, of which it has the files."""

    target = ""

    def send_head(self) -> Any:
        if not self.path.endswith(".joblib"):
            return super().send_head()
        self.send_response(302)
        self.send_header("Location", f"{self.target}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None


@pytest.fixture
def other_server(models_folder: Path) -> Iterator[str]:
    yield from serve(QuietHandler, models_folder)


@pytest.fixture
def sending_on_server(
    models_folder: Path, other_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setattr(SendingOnHandler, "target", other_server)
    yield from serve(SendingOnHandler, models_folder)


@pytest.fixture
def endless_server(models_folder: Path) -> Iterator[str]:
    yield from serve(EndlessHandler, models_folder)


@pytest.fixture
def swelling_server(models_folder: Path) -> Iterator[str]:
    yield from serve(SwellingHandler, models_folder)


@pytest.mark.parametrize("name", ["model.joblib", "card.json"])
def test_version_is_refused_when_a_file_has_no_end(
    write_version: WriteVersion, endless_server: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_version("1")
    monkeypatch.setattr(EndlessHandler, "endless", name)
    version = ModelRepository(f"{endless_server}/tiny", max_bytes=MAX_BYTES).find()
    with version.open() as folder:
        assert folder is not None
        with pytest.raises(ModelRefused, match=f"{name}: more than {MAX_BYTES} bytes"):
            folder.read(name)


@pytest.mark.parametrize("name", ["alias.json", "/tiny", "/tiny/"])
def test_source_is_unavailable_when_its_alias_or_its_list_has_no_end(
    write_version: WriteVersion, endless_server: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_version("1")
    monkeypatch.setattr(EndlessHandler, "endless", name)
    with pytest.raises(SourceUnavailable, match=f"more than {MAX_BYTES} bytes"):
        ModelRepository(f"{endless_server}/tiny", max_bytes=MAX_BYTES).find()


def test_version_is_refused_when_a_file_is_too_large_once_it_is_unpacked(
    write_version: WriteVersion, swelling_server: str
) -> None:
    write_version("1")
    with ModelRepository(f"{swelling_server}/tiny", max_bytes=MAX_BYTES).find().open() as folder:
        assert folder is not None
        with pytest.raises(ModelRefused, match="more than"):
            folder.read("model.joblib")


def test_redirect_is_followed_only_where_a_source_may_be(
    write_version: WriteVersion, sending_on_server: str, other_server: str
) -> None:
    write_version("1")
    both = AllowedSources([sending_on_server, other_server])
    with ModelRepository(f"{sending_on_server}/tiny", both).find().open() as folder:
        assert folder is not None
        assert folder.read("model.joblib")
    only = AllowedSources([sending_on_server])
    with ModelRepository(f"{sending_on_server}/tiny", only).find().open() as folder:
        assert folder is not None
        with pytest.raises(SourceUnavailable, match=rf"redirects to {other_server}/.* isn't allow"):
            folder.read("model.joblib")
