"""The OpenAPI document: FastAPI's own, and the bodies that routes read by themselves."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.contract import House
from gateway.schemas import HOUSE, PriceBatchRequest, ProcessRequest

_BODIES = (House, PriceBatchRequest, ProcessRequest)
_REFERENCE = "#/components/schemas/{model}"


def refer_to_body(name: str) -> dict[str, Any]:
    """Say that a route, which reads its body itself, takes the body named in the components."""
    schema = {"$ref": _REFERENCE.format(model=name)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Make the document, once."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        components = app.openapi_schema["components"]["schemas"]
        for body in _BODIES:
            schema = body.model_json_schema(ref_template=_REFERENCE)
            schema.pop("$defs", None)
            _name_integers(schema)
            components[body.__name__] = schema
        components["House"]["example"] = HOUSE
    return app.openapi_schema


def _name_integers(schema: Any) -> None:
    """Call a number without a fraction an integer, as everybody else does."""
    if isinstance(schema, dict):
        if schema.get("multipleOf") == 1:
            del schema["multipleOf"]
            schema["type"] = "integer"
            schema["minimum"], schema["maximum"] = int(schema["minimum"]), int(schema["maximum"])
        for part in schema.values():
            _name_integers(part)
    elif isinstance(schema, list):
        for part in schema:
            _name_integers(part)
