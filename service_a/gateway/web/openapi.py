"""The OpenAPI document: FastAPI's own, and the bodies that routes read by themselves."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from gateway.settings import Settings
from gateway.web.actuals_schemas import ActualPrice, ActualsRequest
from gateway.web.district import District
from gateway.web.examples import show_examples
from gateway.web.house import House
from gateway.web.middleware.api_keys import HEADER, OPEN_PATHS
from gateway.web.price_schemas import Instances, InstancesRequest, PriceBatchRequest
from gateway.web.schemas import EXAMPLE_HOUSE, HOUSE, ProcessRequest

_REFERENCE = "#/components/schemas/{model}"
# What it takes is a `District`.
_DESCRIBED_MODEL = "california"

Json = dict[str, Any]

_GROUPS: list[Json] = [
    {"name": "process", "description": "Begin here: open `POST /process`, press **Try it out**."},
    {"name": "price", "description": "The public contract: houses in, prices out."},
    {"name": "inputs", "description": "The log of everything that was sent."},
    {"name": "quality", "description": "True prices in, and how good the predictions were."},
    {"name": "lab", "description": "The page that shows both services at work."},
    {"name": "status", "description": "For whatever watches the service."},
]
_GROUPS_WITHOUT_PAGE = [each for each in _GROUPS if each["name"] != "lab"]


def refer_to_body(name: str) -> Json:
    """Name the body, one of the components, of a route that reads its body itself."""
    schema = _refer(name)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def build_openapi(app: FastAPI) -> Json:
    """Make the document, once."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        app.openapi_schema["components"]["schemas"] |= _describe_bodies(app.state.settings)
        for schema in app.openapi_schema["components"]["schemas"].values():
            _put_required_first(schema)
        other_model = app.state.settings.instances_model != _DESCRIBED_MODEL
        show_examples(app.openapi_schema, {"/api/v1/predict"} if other_model else set())
        groups = _GROUPS if app.state.settings.lab_page else _GROUPS_WITHOUT_PAGE
        app.openapi_schema["tags"] = groups
        if app.state.settings.api_keys:
            _describe_keys(app.openapi_schema)
    return app.openapi_schema


def _put_required_first(schema: Json) -> None:
    """Have readers see first what they must give."""
    properties: Json = schema.get("properties", {})
    first = [name for name in schema.get("required", []) if name in properties]
    if properties:
        schema["properties"] = {name: properties[name] for name in (*first, *properties)}


def _describe_keys(document: Json) -> None:
    """Say which calls need a key, and what a call without one gets."""
    document["components"]["securitySchemes"] = {
        "APIKeyHeader": {
            "type": "apiKey",
            "in": "header",
            "name": HEADER,
            "description": "One of the gateway's keys",
        }
    }
    refusal = {
        "description": "The key is missing or wrong",
        "content": {"application/json": {"schema": _refer("ErrorAnswer")}},
    }
    for path, operations in document["paths"].items():
        if path not in OPEN_PATHS:
            for operation in operations.values():
                operation["security"] = [{"APIKeyHeader": []}]
                responses = operation["responses"] | {"401": refusal}
                operation["responses"] = dict(sorted(responses.items()))


def _describe_bodies(settings: Settings) -> Json:
    house = {**_describe(House), "example": HOUSE}
    # Service B needs no id.
    required = [name for name in house["required"] if name != "id"]
    return {
        "House": house,
        # For the page `/lab`, which makes its form of it.
        "HouseToForward": {
            **house,
            "title": "HouseToForward",
            "required": required,
            "example": EXAMPLE_HOUSE,
        },
        "PriceBatchRequest": _describe(PriceBatchRequest),
        "ProcessRequest": {
            **_describe(ProcessRequest),
            "example": {"data": EXAMPLE_HOUSE, "forward_to_model": True},
        },
        "ActualPrice": _describe(ActualPrice),
        "ActualsRequest": _describe(ActualsRequest),
        **_describe_instances(settings.instances_model),
    }


def _describe_instances(model: str) -> Json:
    """Only Service B can describe what another model takes."""
    if model != _DESCRIBED_MODEL:
        return {"InstancesRequest": {**_describe(Instances), "title": "InstancesRequest"}}
    return {"District": _describe(District), "InstancesRequest": _describe(InstancesRequest)}


def _describe(body: type[BaseModel]) -> Json:
    schema = body.model_json_schema(ref_template=_REFERENCE)
    schema.pop("$defs", None)
    _name_integers(schema)
    return schema


def _refer(name: str) -> Json:
    return {"$ref": _REFERENCE.format(model=name)}


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
