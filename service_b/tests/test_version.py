import hashlib
import os
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from predictor.errors import ModelRefused, SourceUnavailable
from predictor.version import Folder, parse_checksums


class FakeFileSystem:
    """Fails to read anything."""

    protocol = "far"

    def open(self, path: str, _: str) -> object:
        raise ConnectionResetError(path)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A version with one file."""
    (tmp_path / "factor.txt").write_bytes(b"3")
    return Folder(LocalFileSystem(), str(tmp_path), "1")


def test_file_is_read(folder: Folder) -> None:
    assert folder.read("factor.txt") == b"3"


def test_version_is_refused_when_a_file_is_missing(folder: Folder) -> None:
    with pytest.raises(ModelRefused, match=r"missing\.txt: No such file or directory"):
        folder.read("missing.txt")


def test_version_is_refused_when_its_files_together_are_too_large(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 60)
    (tmp_path / "b").write_bytes(b"x" * 60)
    folder = Folder(LocalFileSystem(), str(tmp_path), "1", max_bytes=100)
    assert len(folder.read("a")) == 60
    with pytest.raises(ModelRefused, match=r"/b: more than 40 bytes \(PREDICTOR_MAX_VERSION"):
        folder.read("b")


def test_version_is_refused_when_a_file_is_a_device_or_a_pipe(folder: Folder) -> None:
    Path(folder.path, "zero").symlink_to("/dev/zero")
    os.mkfifo(Path(folder.path, "pipe"))
    for name in ("zero", "pipe"):
        with pytest.raises(ModelRefused, match=f"{name}: is not a file"):
            folder.read(name)


def test_version_is_not_to_blame_when_its_source_fails() -> None:
    with pytest.raises(SourceUnavailable, match=r"far/factor\.txt: ConnectionResetError"):
        Folder(FakeFileSystem(), "far", "1").read("factor.txt")


def test_file_is_read_when_its_sha256_is_right_and_refused_when_it_is_not(folder: Folder) -> None:
    right = hashlib.sha256(b"3").hexdigest()
    assert folder.read_checked("factor.txt", right, "the card") == b"3"
    with pytest.raises(ModelRefused, match=rf"factor\.txt: sha256 is {right}, the card says abc"):
        folder.read_checked("factor.txt", "abc", "the card")


def test_checksums_are_read_in_both_forms_that_sha256sum_writes() -> None:
    content = b"abc  factor.txt\ndef *model.bin\nabc  with space.txt\n"
    assert parse_checksums(content, "SHA256SUMS") == [
        ("factor.txt", "abc"),
        ("model.bin", "def"),
        ("with space.txt", "abc"),
    ]


def test_checksums_are_read_as_windows_writes_them() -> None:
    content = b"\xef\xbb\xbfABC  factor.txt\r\nDEF *model.bin\r\n"
    assert parse_checksums(content, "SHA256SUMS") == [("factor.txt", "abc"), ("model.bin", "def")]


@pytest.mark.parametrize(
    "line", [b"abc", b"", b"abc  ../factor.txt", b"abc  /etc/hosts", b"abc  a\\b", b"\xff"]
)
def test_checksums_are_refused_when_a_line_is_something_else(line: bytes) -> None:
    with pytest.raises(ModelRefused, match="1/SHA256SUMS: not a sum and a file name"):
        parse_checksums(line + b"\n", "1/SHA256SUMS")
