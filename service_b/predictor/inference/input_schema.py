"""The request model of a model, built from the features in its card."""

from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticKnownError

from predictor.card import Feature, ModelCard
from predictor.spelling import AnySpelling

# A plain default would be in the documentation, and invite null where null is refused.
_LEFT_OUT = Field(default_factory=NoneType)


def name_type(model: str) -> str:
    """Give the prefix of a model's type names: `TinyHouse` for `tiny-house`."""
    return model.replace("-", "_").title().replace("_", "")


def build_input_type(card: ModelCard) -> type[BaseModel]:
    """Make the strict pydantic model of one input, for example `AmesInput`.

    Each field takes its snake_case name or the camelCase alias; unknown fields are
    refused. A category is taken in any spelling. A field that the caller left out is not in the
    instance's `model_fields_set`, so that unknown and `null` stay apart.
    """
    fields: dict[str, Any] = {
        feature.name: (_annotate(feature, card), ... if feature.required else _LEFT_OUT)
        for feature in card.features
    }
    return create_model(
        f"{name_type(card.name)}Input",
        __config__=ConfigDict(
            extra="forbid",
            protected_namespaces=(),
            json_schema_extra={"example": card.example},
        ),
        __doc__=card.description,
        **fields,
    )


def _annotate(feature: Feature, card: ModelCard) -> Any:
    domain: Any
    examples = [card.example[feature.name]] if feature.name in card.example else None
    if feature.kind == "category":
        domain = Literal[feature.categories]
        if any(isinstance(each, str) for each in feature.categories or ()):
            domain = Annotated[domain, AnySpelling()]
    elif feature.kind == "number":
        domain = Annotated[
            float, Field(strict=True, ge=feature.minimum, le=feature.maximum, allow_inf_nan=False)
        ]
    else:
        # JSON has only one kind of number, so 5.0 is a whole number and 5.5 isn't.
        domain = Annotated[
            float,
            Field(
                strict=True,
                ge=feature.minimum,
                le=feature.maximum,
                json_schema_extra=_declare_integer,
            ),
            AfterValidator(_require_whole),
        ]
    return Annotated[
        domain | None if feature.nullable else domain,
        Field(
            validation_alias=AliasChoices(feature.name, to_camel(feature.name)),
            title=feature.column,
            description=_describe(feature),
            examples=examples,
        ),
    ]


def _require_whole(value: float) -> float:
    # pydantic's own multiple_of=1 isn't exact: it also takes 1e-10.
    if not value.is_integer():
        raise PydanticKnownError("multiple_of", {"multiple_of": 1})
    return value


def _declare_integer(schema: dict[str, Any]) -> None:
    schema["type"] = "integer"
    schema["minimum"], schema["maximum"] = int(schema["minimum"]), int(schema["maximum"])


def _describe(feature: Feature) -> str:
    parts = [feature.meaning.rstrip(".")]
    if feature.unit:
        parts.append(f"Unit: {feature.unit}")
    if feature.nullable:
        meaning = "unknown" if feature.none is None else f"none, the same as {feature.none!r}"
        parts.append(f"null means {meaning}")
    return ". ".join(parts) + "."
