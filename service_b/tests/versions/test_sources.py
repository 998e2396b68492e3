import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from predictor.errors import ManifestError, SourceUnavailable
from predictor.version import Source
from predictor.versions.manifest import ModelEntry
from predictor.versions.sources import build_sources

ALLOWED = ("file:", "https:", "models:")


class FakeMlflow(ModuleType):
    """MLflow, with a server's address that it doesn't take."""

    def __init__(self) -> None:
        super().__init__("mlflow")

    def MlflowClient(self) -> object:  # noqa: N802
        raise RuntimeError("unknown scheme\nand much more")


def build(*written: str, folder: Path, allowed: tuple[str, ...] = ALLOWED) -> list[Source]:
    return build_sources(ModelEntry(name="tiny", sources=list(written)), folder, allowed)


def find_error(*written: str, folder: Path, allowed: tuple[str, ...] = ALLOWED) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        build(*written, folder=folder, allowed=allowed)
    return caught.value


def test_sources_keep_their_order_and_folders_are_relative_to_the_manifest(tmp_path: Path) -> None:
    sources = build("models/tiny", "https://example.org/tiny", "/srv/tiny", folder=tmp_path)
    assert [each.location for each in sources] == [
        f"file://{tmp_path}/models/tiny",
        "https://example.org/tiny",
        "file:///srv/tiny",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "a::b",
        "zip::http:",
        "%2e%2e",
        "quest?b#c",
        "s3:x",
        "x:y",
        "~",
        "[ab]*",
        " a\tb\n",
        "a@b",
        "\\",
        os.fsdecode(b"\xff"),
    ],
)
def test_folder_with_any_name_is_a_source(tmp_path: Path, name: str) -> None:
    if sys.platform in ("win32", "darwin"):
        pytest.skip("its folders can't have all these names")
    (tmp_path / name / "tiny" / "1").mkdir(parents=True)
    allowed = (f"file://{tmp_path}/{name}/",)
    forms = [f"{name}/tiny", f"{tmp_path}/{name}/tiny", f"file://{tmp_path}/{name}/tiny"]
    for source in build(*forms, folder=tmp_path, allowed=allowed):
        assert source.find().number == "1"
        assert source.location == forms[-1]
    with pytest.raises(ManifestError):
        build(f"{name}/../tiny", folder=tmp_path, allowed=allowed)


@pytest.mark.parametrize(
    "written", ["file:///srv/models/::https://h/x", "s3:/etc", "models/tiny::zip:///etc/x.zip"]
)
def test_folder_that_looks_like_a_url_leads_nowhere_else(tmp_path: Path, written: str) -> None:
    (source,) = build(written, folder=tmp_path, allowed=("file:",))
    assert source.location.startswith(("file:///srv/models/", f"file://{tmp_path}/"))
    with pytest.raises(SourceUnavailable):
        source.find()
    find_error(written, folder=tmp_path, allowed=("https:", "s3:", "zip:"))


def test_url_within_a_url_needs_both_to_be_allowed(tmp_path: Path) -> None:
    for written in ("zip://x::file:///etc/x.zip", "simplecache::file:///etc"):
        find_error(written, folder=tmp_path, allowed=("zip:", "simplecache", "https:"))
        find_error(written, folder=tmp_path, allowed=("file:",))


def test_class_without_sources_is_its_own_and_never_changes(tmp_path: Path) -> None:
    entry = ModelEntry(name="double", class_path="formulas.Double")
    (source,) = build_sources(entry, tmp_path, ALLOWED)
    assert source.location == "formulas.Double"
    assert source.find().fingerprint == source.find().fingerprint
    with source.find().open() as files:
        assert files is None


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("ftps://h/x", "ftps://h/x: begins with none of file:, https:, models:"),
        ("http://h/x", "http://h/x: begins with none of"),
        ("https://h/models/%2E%2e/ames", "must not have .. in it"),
        ("https://h/../ames", "must not have .. in it"),
    ],
)
def test_error_names_the_source_that_is_wrong(tmp_path: Path, written: str, reason: str) -> None:
    error = find_error("models/tiny", written, folder=tmp_path)
    assert str(error).startswith(reason)
    assert error.place == ("sources", 1)


def test_error_names_no_password(tmp_path: Path) -> None:
    allowed = ("https://reader:secret@models/",)
    error = find_error("https://me:secret@h/x?token=secret", folder=tmp_path, allowed=allowed)
    assert str(error).startswith("https://***@h/x?***: begins with none of https://***@models/")
    for blank in (" ", "\n", "'", '"'):
        written = f"https://me:se{blank}cret@h/x"
        assert "cret" not in str(find_error(written, folder=tmp_path))


@pytest.mark.parametrize("written", ["models/../../secret", "file:///srv/models/../secret"])
def test_folder_outside_what_is_allowed_is_refused(tmp_path: Path, written: str) -> None:
    allowed = (f"file://{tmp_path}/", "file:///srv/models/")
    error = find_error(written, folder=tmp_path, allowed=allowed)
    assert "begins with none of" in str(error)
    build("models/tiny", "file:///srv/models/tiny", folder=tmp_path, allowed=allowed)


def test_mlflow_source_is_a_clear_error_when_mlflow_is_missing_or_has_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    error = find_error("models:/ames@champion", folder=tmp_path)
    assert str(error) == "MLFLOW_TRACKING_URI must name the MLflow server"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    error = find_error("models:/ames@champion", folder=tmp_path)
    assert "needs what requirements-mlflow.txt lists" in str(error)
    monkeypatch.setitem(sys.modules, "mlflow", FakeMlflow())
    error = find_error("models:/ames@champion", folder=tmp_path)
    assert str(error) == "the server that MLFLOW_TRACKING_URI names can't be used: unknown scheme"
    assert "models:/NAME@ALIAS" in str(find_error("models:/ames", folder=tmp_path))
