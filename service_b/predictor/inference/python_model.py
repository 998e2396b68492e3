"""A Python class as a model: it predicts anything, with pydantic types for inputs and outputs."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, create_model

from predictor.errors import ModelRefused, SourceUnavailable
from predictor.inference.input_schema import name_type
from predictor.version import CHECKSUMS, Folder, parse_checksums

_UNVERSIONED = "0"


class PythonClass(Protocol):
    """What the class named by `class_path` must have.

    Its constructor loads. It gets the `parameters` of its entry and, if the model has sources,
    `folder: Path` with the files of the version, which are gone when it returns. It runs in a
    thread. The class may have `metadata`, a dict that `GET /models/{name}` shows, and, without
    sources, `version`.
    """

    input_type: type[BaseModel]
    output_type: type[BaseModel]
    example: dict[str, Any]

    def predict(self, inputs: Sequence[Any]) -> Sequence[BaseModel]:
        """Give an `output_type` for each `input_type`, in order."""


class PythonModel:
    """An instance of such a class, with the name and version that the service gives it."""

    def __init__(self, name: str, version: str, instance: PythonClass) -> None:
        self.name = name
        self.version = version
        self.input_type = instance.input_type
        self.prediction_type = _add_version(name, instance.output_type)
        self.example: Mapping[str, Any] = instance.example
        self.columns: Mapping[str, str] = {
            (field.alias or field_name): field_name
            for field_name, field in instance.input_type.model_fields.items()
        }
        self.metadata: Mapping[str, Any] = {
            "name": name,
            "version": version,
            "title": name,
            "description": inspect.getdoc(type(instance)),
            "input": instance.input_type.model_json_schema(),
            "output": instance.output_type.model_json_schema(mode="serialization"),
            **getattr(instance, "metadata", {}),
        }
        self.quick_batch = 0
        self._instance = instance

    def predict(self, inputs: Sequence[BaseModel]) -> list[BaseModel]:
        """Predict in one call of the class, and name the version in each prediction."""
        outputs = self._instance.predict(inputs)
        if len(outputs) != len(inputs):
            raise ValueError(f"{len(outputs)} predictions for {len(inputs)} inputs")
        return [self._name(output) for output in outputs]

    def _name(self, output: BaseModel) -> BaseModel:
        if not isinstance(output, self._instance.output_type):
            raise TypeError(f"a prediction is {output!r}, no {self._instance.output_type.__name__}")
        fields = {**output.__dict__, "model": self.name, "model_version": self.version}
        return self.prediction_type.model_construct(None, **fields)


def load_python(
    name: str,
    constructor: Callable[..., PythonClass],
    parameters: Mapping[str, Any],
    folder: Folder | None,
) -> PythonModel:
    """Construct the class, with the files of a version if there are any.

    The class gets a copy of the files, made of the very bytes whose sha256 were checked.

    Raises:
        ModelRefused: a check failed, or the class can't be made.
        SourceUnavailable: the files can't be read now, or the copy can't be written.
    """
    if folder is None:
        return _construct(name, name, None, lambda: constructor(**parameters))
    sums = parse_checksums(folder.read(CHECKSUMS), f"{folder.path}/{CHECKSUMS}")
    files = {file: folder.read_checked(file, sha256, CHECKSUMS) for file, sha256 in sums}
    try:
        with TemporaryDirectory() as copy:
            for file, content in files.items():
                Path(copy, file).write_bytes(content)
            return _construct(
                name,
                folder.path,
                folder.number or _UNVERSIONED,
                lambda: constructor(folder=Path(copy), **parameters),
            )
    except OSError as error:  # a full disk, say: not the version's fault
        raise SourceUnavailable(f"{folder.path}: can't be copied: {error!r}") from error


def _construct(
    name: str, where: str, version: str | None, make: Callable[[], PythonClass]
) -> PythonModel:
    try:
        instance = make()
        own: str = getattr(instance, "version", _UNVERSIONED)
        return PythonModel(name, version or own, instance)
    except Exception as error:
        raise ModelRefused(f"{where}: can't be loaded: {error!r}") from error


def _add_version(name: str, output_type: type[BaseModel]) -> type[BaseModel]:
    taken = {"model", "model_version"} & set(output_type.model_fields)
    if taken:
        raise ValueError(f"the output has a field {taken.pop()}, which the service adds")
    base = type("_Named", (output_type,), {"model_config": ConfigDict(protected_namespaces=())})
    return create_model(
        f"{name_type(name)}Prediction", __base__=base, model=(str, ...), model_version=(str, ...)
    )
