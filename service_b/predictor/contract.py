"""The OpenAPI document: the fixed routes, and the request bodies of the model that is loaded."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field, create_model

from predictor.errors import ModelUnavailable
from predictor.model import Model
from predictor.registry import ModelRegistry
from predictor.schemas import MAX_BATCH

_REFERENCE = "#/components/schemas/{model}"


def refer_to_body(name: str) -> dict[str, Any]:
    """Say that a route, which reads its body itself, takes the body named in the components."""
    schema = {"$ref": _REFERENCE.format(model=name)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def build_contract(app: FastAPI, registry: ModelRegistry) -> dict[str, Any]:
    """Make the OpenAPI document for what is loaded now."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    try:
        bodies = _describe_bodies(registry.default)
    except ModelUnavailable:
        bodies = {name: {"type": "object"} for name in ("PredictRequest", "BatchRequest")}
    document["components"]["schemas"].update(bodies)
    return document


def _describe_bodies(model: Model) -> dict[str, Any]:
    """Schemas of the request bodies, whose inputs are the model's, and of those inputs."""
    example = model.card.example
    bodies: list[type[BaseModel]] = [
        create_model(
            "PredictRequest",
            input=(model.input_type, Field(examples=[example])),
        ),
        create_model(
            "BatchRequest",
            inputs=(
                list[model.input_type],  # type: ignore[name-defined]
                Field(min_length=1, max_length=MAX_BATCH, examples=[[example]]),
            ),
        ),
    ]
    schemas: dict[str, Any] = {}
    for body in bodies:
        schema = body.model_json_schema(ref_template=_REFERENCE)
        schemas.update(schema.pop("$defs"))
        schemas[body.__name__] = {**schema, "additionalProperties": False}
    return schemas
