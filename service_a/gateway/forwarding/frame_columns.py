"""What a model behind MLflow's protocol takes: the fields of inputs, the columns of a frame."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictStr,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticKnownError

from gateway.settings import SettingsError
from gateway.spelling import AnySpelling

# Checks an input and returns it as an instance of the type, or raises `InvalidInput`.
Check = Callable[[type[BaseModel], Any, Sequence[str | int]], BaseModel]

_LEFT_OUT = Field(default_factory=NoneType)


class Feature(BaseModel):
    """A field of an input, as Service B's card describes it, and its column."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    column: str
    kind: Literal["number", "integer", "category", "identifier"]
    required: bool = False
    nullable: bool = False
    minimum: FiniteFloat | None = None
    maximum: FiniteFloat | None = None
    categories: tuple[str | int, ...] = ()  # any text if there are none
    none: str | int | None = None  # the category that null stands for

    @property
    def can_be_null(self) -> bool:
        """Say whether a cell of the column can be unknown.

        A null may stand for `none`, and whole numbers have no null in a frame. Then the column is
        left out.
        """
        return self.none is None and not any(isinstance(each, int) for each in self.categories)


class FrameColumns(BaseModel):
    """The file that says how a model's inputs become rows. It is part of the model's card."""

    name: str
    features: tuple[Feature, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def check_names(self) -> Self:
        for key in ("name", "column"):
            if len({getattr(each, key) for each in self.features}) != len(self.features):
                raise ValueError(f"two features have the same {key}")
        return self

    def make_input_type(self) -> type[BaseModel]:
        """Make the strict type of an input: fields in snake_case or camelCase, and no others."""
        fields: dict[str, Any] = {
            each.name: (_annotate(each), ... if each.required else _LEFT_OUT)
            for each in self.features
        }
        config = ConfigDict(extra="forbid", protected_namespaces=())
        return create_model("Input", __config__=config, **fields)

    def make_row(self, checked: BaseModel) -> dict[str, Any]:
        """Return the value of each column, in order, without those that must be left out.

        A field that was left out is unknown; null is the category `none`, where there is one.
        """
        row = {}
        for feature in self.features:
            value = getattr(checked, feature.name)
            if value is None and feature.name in checked.model_fields_set:
                value = feature.none
            if feature.kind != "identifier" and (value is not None or feature.can_be_null):
                row[feature.column] = value
        return row


def read_columns(path: Path) -> FrameColumns:
    """Read the file that says which field goes into which column.

    Raises:
        SettingsError: it can't be read, or says something else.
    """
    try:
        return FrameColumns.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"GATEWAY_MLFLOW_COLUMNS: {path}: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        reason = f"{path}: {place}: {problem['msg']}"
        raise SettingsError(f"GATEWAY_MLFLOW_COLUMNS: {reason}") from error


def _annotate(feature: Feature) -> Any:
    domain: Any
    if feature.kind == "category":
        domain = (
            Annotated[Literal[feature.categories], AnySpelling()]
            if feature.categories
            else StrictStr
        )
    else:
        bounds = Field(strict=True, ge=feature.minimum, le=feature.maximum, allow_inf_nan=False)
        domain = Annotated[float, bounds]
        if feature.kind != "number":
            domain = Annotated[domain, AfterValidator(_require_whole)]
    return Annotated[
        domain | None if feature.nullable else domain,
        Field(validation_alias=AliasChoices(feature.name, to_camel(feature.name))),
    ]


def _require_whole(value: float) -> float:
    if not value.is_integer():
        raise PydanticKnownError("multiple_of", {"multiple_of": 1})
    return value
