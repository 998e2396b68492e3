import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from pydantic import BaseModel

from predictor.errors import ModelRefused, SourceUnavailable
from predictor.inference.served_model import ServedModel
from predictor.version import Folder
from predictor.versions.loading import build_loader
from predictor.versions.manifest import ModelEntry


class Number(BaseModel):
    value: float


class Doubled(BaseModel):
    double: float


class Doubler:
    """Multiplies, by a factor from its parameters or from its file."""

    input_type: type[BaseModel] = Number
    output_type: type[BaseModel] = Doubled
    example: dict[str, Any] = {"value": 1}  # noqa: RUF012

    def __init__(self, factor: float = 0, folder: Path | None = None) -> None:
        self.factor = float((folder / "factor.txt").read_text()) if folder else factor

    def predict(self, inputs: Sequence[Number]) -> list[BaseModel]:
        return [Doubled(double=each.value * self.factor) for each in inputs]


class Forgetful(Doubler):
    def predict(self, inputs: Sequence[Number]) -> list[BaseModel]:
        return super().predict(inputs)[1:]


class Failing(Doubler):
    """Raises something where a number is below zero."""

    def predict(self, inputs: Sequence[Number]) -> list[BaseModel]:
        failures = [ZeroDivisionError("the secret"), SystemExit("the secret"), HTTPException(418)]
        for each in inputs:
            if each.value < 0:
                raise failures[int(-each.value) - 1]
        return super().predict(inputs)


class Confused(Doubler):
    def predict(self, inputs: Sequence[Number]) -> list[BaseModel]:
        return list(inputs)


class Named(BaseModel):
    model: str


class Clashing(Doubler):
    output_type = Named


class Broken(Doubler):
    def __init__(self) -> None:
        raise ZeroDivisionError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version with one file and its sum."""
    (tmp_path / "factor.txt").write_text("3")
    sha256 = hashlib.sha256(b"3").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{sha256}  factor.txt\n")
    return tmp_path


def load(class_name: str, folder: Path | None = None, **parameters: object) -> ServedModel:
    path = f"tests.inference.test_python_model.{class_name}"
    entry = ModelEntry(name="double", class_path=path, parameters=parameters)
    return build_loader(entry)(Folder(LocalFileSystem(), str(folder), "7") if folder else None)


def test_class_gets_its_parameters_and_its_predictions_a_name() -> None:
    model = load("Doubler", factor=2)
    (prediction,) = model.predict([Number(value=4)])
    assert isinstance(prediction, BaseModel)
    assert prediction.model_dump() == {"double": 8.0, "model": "double", "model_version": "0"}
    assert (
        model.metadata["description"] == "Multiplies, by a factor from its parameters or from "
        "its file."
    )


def test_class_gets_the_files_of_its_version(folder: Path) -> None:
    model = load("Doubler", folder)
    (prediction,) = model.predict([Number(value=4)])
    assert isinstance(prediction, BaseModel)
    assert prediction.model_dump() == {"double": 12.0, "model": "double", "model_version": "7"}


def test_version_is_refused_when_a_sum_is_wrong(folder: Path) -> None:
    (folder / "factor.txt").write_text("4")
    with pytest.raises(ModelRefused, match=r"factor\.txt: sha256 is .*, SHA256SUMS says"):
        load("Doubler", folder)


def test_version_is_refused_when_it_has_no_sums(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(ModelRefused, match="SHA256SUMS: No such file"):
        load("Doubler", folder)


def test_version_is_not_to_blame_when_there_is_no_room_for_its_copy(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(SourceUnavailable, match="can't be copied"):
        load("Doubler", folder)


@pytest.mark.parametrize("line", ["abc", "abc  ../factor.txt", "abc  /etc/hosts", "abc  a\\b"])
def test_version_is_refused_when_its_sums_are_malformed(folder: Path, line: str) -> None:
    (folder / "SHA256SUMS").write_text(line + "\n")
    with pytest.raises(ModelRefused, match="not a sum and a file name"):
        load("Doubler", folder)


@pytest.mark.parametrize(
    ("class_name", "reason"),
    [
        ("Broken", "can't be loaded: ZeroDivisionError"),
        ("Clashing", "the output has a field model, which the service adds"),
        ("Forgetful", "fails on its example: .*0 predictions for 1 inputs"),
        ("Confused", "fails on its example: .*no Doubled"),
        ("Number", "can't be loaded"),
    ],
)
def test_class_is_refused_when_it_does_not_keep_its_word(class_name: str, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason):
        load(class_name)
