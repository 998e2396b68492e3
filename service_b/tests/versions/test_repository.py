"""Versions in folders: on this machine, in memory, and behind a real web server."""

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest

from predictor.errors import ModelRefused, SourceUnavailable
from predictor.versions.allowed_sources import AllowedSources
from predictor.versions.repository import ModelRepository

WriteVersion = Callable[..., Path]


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class SigningHandler(QuietHandler):
    """Redirects each request for an artifact to a URL that is never the same."""

    signed = itertools.count()

    def send_head(self) -> Any:
        if not self.path.endswith(".joblib"):
            return super().send_head()
        self.send_response(302)
        self.send_header("Location", f"{self.path}?signature={next(self.signed)}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None


@pytest.fixture
def web_server(models_folder: Path) -> Iterator[str]:
    """The URL of a server of `models_folder`."""
    yield from serve(QuietHandler, models_folder)


def serve(handler_type: type[QuietHandler], folder: Path) -> Iterator[str]:
    handler = partial(handler_type, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def signing_server(models_folder: Path) -> Iterator[str]:
    yield from serve(SigningHandler, models_folder)


@pytest.fixture(params=["file", "memory", "http"])
def location(request: pytest.FixtureRequest, models_folder: Path) -> Iterator[str]:
    """The same folder of `tiny` by each kind of URL; `copy_to_memory` completes the second."""
    if request.param == "memory":
        yield "memory://models/tiny"
        fsspec.filesystem("memory").store.clear()
    elif request.param == "http":
        yield f"{request.getfixturevalue('web_server')}/tiny"
    else:
        yield str(models_folder / "tiny")


def build(location: str, models_folder: Path) -> ModelRepository:
    """The repository, after what is on disk was copied to where the location says."""
    if location.startswith("memory:"):
        memory = fsspec.filesystem("memory")
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]
        if (models_folder / "tiny").is_dir():
            memory.put(str(models_folder / "tiny"), "/models/tiny", recursive=True)
    return ModelRepository(location)


def test_highest_number_is_found_when_there_is_no_alias(
    location: str, models_folder: Path, write_version: WriteVersion
) -> None:
    for number in ("9", "10", "1"):
        write_version(number)
    version = build(location, models_folder).find()
    assert version.number == "10"
    with version.open() as folder:
        assert folder is not None
        assert b'"version":"10"' in folder.read("card.json")


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])  # some editors on Windows mark UTF-8
def test_alias_names_the_version(
    location: str, models_folder: Path, write_version: WriteVersion, before: bytes
) -> None:
    for number in ("1", "2"):
        write_version(number)
    content = before + b'{"champion": "1", "history": []}'
    (models_folder / "tiny" / "alias.json").write_bytes(content)
    assert build(location, models_folder).find().number == "1"


def test_other_aliases_name_versions_beside_the_champion(
    location: str, models_folder: Path, write_version: WriteVersion
) -> None:
    for number in ("1", "2"):
        write_version(number)
    assert build(location, models_folder).list_aliases() == []
    aliases = '{"champion": "1", "aliases": {"shadow": "1", "challenger": "2"}, "history": []}'
    (models_folder / "tiny" / "alias.json").write_text(aliases)
    repository = build(location, models_folder)
    assert repository.list_aliases() == ["challenger", "shadow"]
    challenger, champion = repository.find("challenger"), repository.find()
    assert (challenger.number, champion.number) == ("2", "1")
    assert challenger.find_lower() is None
    assert repository.find("shadow").fingerprint == champion.fingerprint
    with pytest.raises(SourceUnavailable, match="nosuch"):
        repository.find("nosuch")


def test_source_is_unavailable_when_it_has_no_version(location: str, models_folder: Path) -> None:
    with pytest.raises(SourceUnavailable):
        build(location, models_folder).find()
    (models_folder / "tiny").mkdir()
    with pytest.raises(SourceUnavailable):
        build(location, models_folder).find()


def test_fingerprint_changes_with_every_file_of_the_version_and_with_nothing_else(
    location: str, models_folder: Path, write_version: WriteVersion
) -> None:
    folder = write_version("1")
    repository = build(location, models_folder)
    first = repository.find().fingerprint
    assert repository.find().fingerprint == first
    (folder / "model.joblib").write_bytes(b"other")
    second = build(location, models_folder).find().fingerprint
    (folder / "card.json").write_text("{}")
    third = build(location, models_folder).find().fingerprint
    (folder / "card.json").unlink()
    fourth = build(location, models_folder).find().fingerprint
    assert len({first, second, third, fourth}) == 4


def test_fingerprint_changes_with_a_file_whose_name_has_a_space(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "SHA256SUMS").write_text("abc  my model.bin\n")
    before = ModelRepository(str(tmp_path)).find().fingerprint
    (tmp_path / "1" / "my model.bin").write_text("3")
    assert ModelRepository(str(tmp_path)).find().fingerprint != before


def test_fingerprint_stays_when_only_the_url_of_a_redirect_changes(
    write_version: WriteVersion, signing_server: str
) -> None:
    write_version("1")
    repository = ModelRepository(f"{signing_server}/tiny")
    assert repository.find().fingerprint == repository.find().fingerprint


def test_folders_that_are_no_versions_are_passed_over(
    write_version: WriteVersion, models_folder: Path
) -> None:
    write_version("1")
    for name in ("2.0", "2-draft", "latest", ".3", "²"):
        (models_folder / "tiny" / name).mkdir()
    (models_folder / "tiny" / "4").touch()
    assert ModelRepository(str(models_folder / "tiny")).find().number == "1"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"champion": 1}',
        '{"champion": "../1"}',
        '{"aliases": {"challenger": "1"}}',
        '{"champion": "1", "aliases": ["1"]}',
        '{"champion": "1", "aliases": {"challenger": "../1"}}',
        '{"champion": "1", "aliases": {"a/b": "1"}}',
        "\xff",
    ],
)
def test_source_is_unavailable_when_the_alias_is_malformed(
    write_version: WriteVersion, models_folder: Path, content: str
) -> None:
    write_version("1")
    (models_folder / "tiny" / "alias.json").write_text(content, encoding="latin-1")
    repository = ModelRepository(str(models_folder / "tiny"))
    for look in (repository.find, repository.list_aliases):
        with pytest.raises(SourceUnavailable, match=r"alias\.json"):
            look()


def test_new_version_is_seen_by_the_same_repository(
    write_version: WriteVersion, models_folder: Path, web_server: str
) -> None:
    repository = ModelRepository(f"{web_server}/tiny")
    write_version("1")
    assert repository.find().number == "1"
    write_version("2")
    assert repository.find().number == "2"
    shutil.rmtree(models_folder / "tiny" / "2")
    assert repository.find().number == "1"


def test_source_is_unavailable_when_nobody_listens() -> None:
    repository = ModelRepository("http://127.0.0.1:9/tiny")
    for look in (repository.find, repository.list_aliases):
        with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:9"):
            look()


@pytest.mark.parametrize("link", ["tiny", "tiny/1", "tiny/alias.json", "tiny/1/model.joblib"])
def test_links_are_followed_anew_with_each_look(
    write_version: WriteVersion, models_folder: Path, tmp_path: Path, link: str
) -> None:
    for number in ("1", "2"):
        write_version(number)
    (models_folder / "tiny" / "alias.json").write_text('{"champion": "1"}')
    linked = models_folder / link
    target, other = tmp_path / "target", tmp_path / "other"
    linked.rename(target)
    linked.symlink_to(target)
    repository = ModelRepository(str(models_folder / "tiny"))
    before = repository.find()
    assert repository.find().fingerprint == before.fingerprint
    if target.is_dir():
        shutil.copytree(target, other)
        for file in ("alias.json", "1/card.json", "card.json"):
            if (other / file).exists():
                (other / file).write_text('{"champion": "2"}')
    else:
        other.write_text('{"champion": "2"}')
    # As Kubernetes does: the new link replaces the old one at once.
    swapped = tmp_path / "swapped"
    swapped.symlink_to(other)
    swapped.replace(linked)
    after = repository.find()
    assert after.fingerprint != before.fingerprint
    assert after.number == ("2" if link in ("tiny", "tiny/alias.json") else "1")


def test_highest_number_may_be_a_link_to_a_folder(
    write_version: WriteVersion, models_folder: Path, tmp_path: Path
) -> None:
    write_version("1")
    write_version("2").rename(tmp_path / "elsewhere")
    (models_folder / "tiny" / "2").symlink_to(tmp_path / "elsewhere")
    (models_folder / "tiny" / "3").symlink_to(tmp_path / "nowhere")
    version = ModelRepository(str(models_folder / "tiny")).find()
    assert version.number == "2"
    with version.open() as folder:
        assert folder is not None
        assert b'"version":"2"' in folder.read("card.json")


def test_source_is_unavailable_when_a_link_leads_where_no_source_may_be(
    write_version: WriteVersion, models_folder: Path, tmp_path: Path
) -> None:
    write_version("1")
    allowed = AllowedSources([f"file://{models_folder}/"])
    repository = ModelRepository(str(models_folder / "tiny"), allowed)
    assert repository.find().number == "1"
    (models_folder / "tiny").rename(tmp_path / "elsewhere")
    (models_folder / "tiny").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceUnavailable, match="isn't allowed"):
        repository.find()


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("", "isn't allowed"),
        ("card.json", "isn't allowed"),
        ("model.joblib", "isn't allowed"),
        ("card.json", "directory"),
        ("card.json", "circle"),
        ("model.joblib", "circle"),
    ],
)
def test_version_that_can_not_be_read_is_refused_and_leaves_its_place_to_a_lower_one(
    write_version: WriteVersion, models_folder: Path, tmp_path: Path, what: str, reason: str
) -> None:
    write_version("1")
    unreadable = write_version("2") / what
    unreadable.rename(tmp_path / "elsewhere")
    if reason == "directory":
        unreadable.mkdir()
    else:
        unreadable.symlink_to(unreadable if reason == "circle" else tmp_path / "elsewhere")
    allowed = AllowedSources([f"file://{models_folder}/"])

    version = ModelRepository(str(models_folder / "tiny"), allowed).find()

    assert version.number == "2"
    with pytest.raises(ModelRefused, match=f"tiny/2: .*{reason}"):
        version.open()
    lower = version.find_lower()
    assert lower is not None
    assert lower.number == "1"
