"""models.yaml: which models the service hosts, and where their versions are."""

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from predictor.errors import ManifestError
from predictor.inference.input_schema import name_type
from predictor.version import CHAMPION, AliasName

Place = tuple[str | int, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ChallengerEntry(_Strict):
    """A version that is tried in the shadow of the one that answers."""

    alias: AliasName = Field(default="challenger", description="names the version")
    share: float = Field(gt=0, le=1, description="how many of the model's inputs it predicts too")

    @field_validator("alias")
    @classmethod
    def check_alias(cls, alias: str) -> str:
        if alias == CHAMPION:
            raise ValueError("the champion is what it is compared with")
        return alias


class ModelEntry(_Strict):
    """One model: registered versions, or a Python class, or both."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    default: bool = Field(default=False, description="served by `/predict`")
    sources: list[str] = Field(
        default=[], description="where its versions are; the first that works is used"
    )
    class_path: str | None = Field(default=None, description="such as `examples.iris.IrisModel`")
    parameters: dict[str, Any] = Field(default={}, description="given to the class")
    create_endpoint: bool = Field(default=True, description="gets routes of its own")
    before: str | None = Field(default=None, description="function called with each input")
    after: str | None = Field(default=None, description="called with each input and prediction")
    challenger: ChallengerEntry | None = Field(default=None, description="predicts in the shadow")

    @model_validator(mode="after")
    def check_kind(self) -> Self:
        if not self.sources and self.class_path is None:
            raise ValueError("a model needs sources or a class_path")
        if self.parameters and self.class_path is None:
            raise ValueError("parameters are for a class_path")
        return self


class Manifest(_Strict):
    """The whole file."""

    title: str = "Service B - ML Prediction"
    models: list[ModelEntry] = Field(min_length=1)
    _path: Path = PrivateAttr()
    _lines: dict[Place, int] = PrivateAttr()

    @field_validator("models")
    @classmethod
    def check_models(cls, models: list[ModelEntry]) -> list[ModelEntry]:
        # Compared by their names in the documentation, where `a-b` and `a_b` share a schema.
        if len({name_type(model.name) for model in models}) < len(models):
            raise ValueError("two models have the same name")
        if sum(model.default for model in models) != 1:
            raise ValueError("exactly one model must have `default: true`")
        return models

    @property
    def default_name(self) -> str:
        return next(model.name for model in self.models if model.default)

    def locate(self, error: ManifestError, *prefix: str | int) -> ManifestError:
        """Name the line of an error that was found after the file was read, under `prefix`."""
        return _locate(self._path, self._lines, ManifestError(str(error), *prefix, *error.place))


def read_manifest(path: Path) -> Manifest:
    """Read models.yaml.

    Raises:
        ManifestError: it is missing or wrong.
    """
    try:
        node, content = _parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror} (PREDICTOR_MODELS)") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: is not UTF-8 (PREDICTOR_MODELS)") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ManifestError(f"{path}{line}: {getattr(error, 'problem', error)}") from error
    lines: dict[Place, int] = {}
    try:
        _find_lines(node, lines)
        manifest = Manifest.model_validate(content)
    except ManifestError as error:
        raise _locate(path, lines, error) from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        message = problem["msg"].removeprefix("Value error, ")
        raise _locate(path, lines, ManifestError(message, *problem["loc"])) from error
    manifest._path, manifest._lines = path, lines
    return manifest


def _locate(path: Path, lines: dict[Place, int], error: ManifestError) -> ManifestError:
    """Name the file, the line of the wrong key or of what lacks it, and the key."""
    place: Place = error.place
    line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 1)
    if not place:  # it may be no such file at all
        return ManifestError(f"{path}: {error} (PREDICTOR_MODELS)")
    return ManifestError(f"{path} line {line}: {_write(place)}: {error}", *place)


def _parse(text: str) -> tuple[Any, Any]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node else None
    finally:
        loader.dispose()


def _find_lines(node: Any, lines: dict[Place, int], place: Place = ()) -> None:
    """Note the line of each key and item, counted from 1; a key must not appear twice."""
    children: list[tuple[str | int, Any, Any]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(key.value, key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(index, value, value) for index, value in enumerate(node.value)]
    for name, marked, value in children:
        here = (*place, name)
        twice = here in lines
        lines[here] = marked.start_mark.line + 1
        if twice:
            raise ManifestError("the key appears twice", *here)
        _find_lines(value, lines, here)


def _write(place: Place) -> str:
    """Write a place as `models[0].name`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
