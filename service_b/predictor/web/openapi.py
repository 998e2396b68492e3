"""The OpenAPI document: the fixed routes, and those of each model that is loaded."""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field, create_model

from predictor.inference.input_schema import name_type
from predictor.inference.prediction import Prediction, PredictionWarning
from predictor.inference.served_model import ServedModel
from predictor.versions.registry import ModelRegistry
from predictor.web.examples import (
    NO_INPUTS,
    UNAVAILABLE,
    UNAVAILABLE_FRAME,
    add_examples,
    answer_batch,
    answer_one,
    list_inputs,
    name_values,
    put_required_first,
)
from predictor.web.middleware.api_key import HEADER, OPEN_PATHS
from predictor.web.schemas import MAX_BATCH, InvalidInputAnswer
from predictor.web.state_examples import describe_states, refuse_parameter

_REFERENCE = "#/components/schemas/{model}"
_ONE, _MANY = "/models/{name}/predict", "/models/{name}/predict/batch"

Json = dict[str, Any]

_WARNINGS: Any = {
    "warnings": (
        list[PredictionWarning],
        Field(
            default=[],
            description="where the input contradicts what holds in the training data, or is unlike "
            "it; left out if it doesn't",
        ),
    )
}

_TAGS: list[Json] = [
    {"name": "predict", "description": "Begin here: open `POST /predict`, press **Try it out**."},
    {
        "name": "models",
        "description": "What is hosted: each model's card, versions and challenger.",
    },
    {"name": "mlflow", "description": "The same models by MLflow's scoring protocol."},
    {"name": "status", "description": "For whatever watches the service."},
]


class OpenApiDocument:
    """Describes every model as if it had routes of its own.

    The routes are in fact the same for all models, and read their bodies themselves.
    """

    def __init__(self, app: FastAPI, registry: ModelRegistry, endpoints: Collection[str]) -> None:
        self._app = app
        self._registry = registry
        self._endpoints = endpoints
        self._described: Mapping[str, ServedModel] | None = None
        self._document: Json = {}

    def build(self) -> Json:
        """Give the document for what is loaded now; it is made anew only after a swap."""
        loaded = self._registry.loaded
        if self._described is not loaded:
            self._document = self._describe(loaded)
            self._described = loaded
        return self._document

    def _describe(self, loaded: Mapping[str, ServedModel]) -> Json:
        app = self._app
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        paths, schemas = document["paths"], document["components"]["schemas"]
        one, many = paths.pop(_ONE), paths.pop(_MANY)
        for name in self._registry.names:
            if name not in loaded:
                continue
            model = loaded[name]
            schemas.update(_describe_types(model))
            operations = list(_describe_operations(model, one, many))
            if name == self._registry.default_name:
                for path, (_, operation) in zip(
                    ("/predict", "/predict/batch"), operations, strict=True
                ):
                    paths[path]["post"] |= {
                        key: operation[key] for key in ("requestBody", "responses")
                    }
            if name in self._endpoints:
                paths |= {path: {"post": operation} for path, operation in operations}
        if self._registry.default_name in loaded:
            _describe_invocations(paths["/invocations"]["post"], self._list_open(loaded))
            hosted = [loaded[name] for name in self._registry.names if name in loaded]
            hosted.sort(key=lambda model: model.name != self._registry.default_name)
            _show_states(paths, describe_states(hosted, self._registry.names))
        document["tags"] = _TAGS
        if app.state.settings.api_key is not None:
            _describe_api_key(document)
        return document

    def _list_open(self, loaded: Mapping[str, ServedModel]) -> list[ServedModel]:
        """List the models that are open to callers, the default first."""
        default = self._registry.default_name
        others = [name for name in self._registry.names if name in self._endpoints]
        return [loaded[name] for name in dict.fromkeys((default, *others)) if name in loaded]


def _show_states(paths: Json, states: Mapping[str, Json]) -> None:
    for path, operations in paths.items():
        for operation in operations.values():
            responses = operation["responses"]
            add_examples(responses, states.get(path, {}))
            (content,) = responses["422"]["content"].values()
            if "examples" not in content:
                parameters = operation.get("parameters", [])
                names = [each["name"] for each in parameters if each["in"] == "query"]
                content["examples"] = name_values(refuse_parameter(names))


def _describe_api_key(document: Json) -> None:
    """Say which calls need the key, and that they are refused without it."""
    document["components"]["securitySchemes"] = {
        "APIKeyHeader": {
            "type": "apiKey",
            "in": "header",
            "name": HEADER,
            "description": "The predictor's key",
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


def _describe_operations(model: ServedModel, one: Json, many: Json) -> Iterator[tuple[str, Json]]:
    """Write the two operations for one model, from those for any model."""
    prefix = name_type(model.name)
    inputs = list_inputs(model)
    first, batches = answer_one(model, inputs), answer_batch(model, inputs)
    single = {name: {"input": value} for name, value in inputs.items()}
    several = {name: {"inputs": [value]} for name, value in inputs.items()} | {"none": NO_INPUTS}
    for path, template, body, answer, sent, answers in (
        (_ONE, one, "Request", "Answer", single, first),
        (_MANY, many, "BatchRequest", "BatchAnswer", several, batches),
    ):
        operation: Json = copy.deepcopy(template["post"])
        operation["responses"]["200"] = {
            "description": "Successful Response",
            "content": {"application/json": {"schema": _refer(prefix + answer)}},
        }
        add_examples(operation["responses"], answers | {"503": {"no model": UNAVAILABLE}})
        yield (
            path.format(name=model.name),
            {
                **{key: value for key, value in operation.items() if key != "parameters"},
                "summary": f"{operation['summary']} ({model.name})",
                "operationId": f"{operation['operationId']}_{model.name}",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": _refer(prefix + body),
                            "examples": name_values(sent),
                        }
                    },
                },
            },
        )


def _describe_types(model: ServedModel) -> Json:
    """Schemas of the bodies of requests and answers, and of everything in them."""
    prefix = name_type(model.name)
    input_type: Any = model.input_type
    error: Any = create_model(f"{prefix}Error", error=(InvalidInputAnswer, ...))
    answer: Any = create_model(
        f"{prefix}Answer",
        prediction=(model.prediction_type, ...),
        message=(str, Field(default="", description="the prediction in words, if it has any")),
        **(_WARNINGS if issubclass(model.prediction_type, Prediction) else {}),
    )
    request = create_model(f"{prefix}Request", input=(input_type, ...))
    batch = create_model(
        f"{prefix}BatchRequest",
        # Anything else gets an error of its own.
        inputs=(list[input_type | Any], Field(min_length=1, max_length=MAX_BATCH)),
    )
    results = create_model(
        f"{prefix}BatchAnswer",
        results=(
            list[answer | error],
            Field(description="one for each input, in the order of the inputs"),
        ),
    )
    schemas: Json = {}
    for type_ in (request, batch):
        schemas |= _define(type_, "validation")
        schemas[type_.__name__]["additionalProperties"] = False
    put_required_first(schemas[input_type.__name__])
    for type_ in (answer, results):
        schemas |= _define(type_, "serialization")
    return schemas


def _define(type_: type[BaseModel], mode: Any) -> Json:
    schema = type_.model_json_schema(ref_template=_REFERENCE, mode=mode)
    return {**schema.pop("$defs", {}), type_.__name__: schema}


def _refer(name: str) -> Json:
    return {"$ref": _REFERENCE.format(model=name)}


def _describe_invocations(operation: Json, models: Sequence[ServedModel]) -> None:
    """Describe the body and the answer for every model that is open to callers."""
    names = [model.name for model in models]
    operation["parameters"][0]["schema"] = {"type": "string", "enum": names}
    sent: Json = {}
    answers: dict[str, Json] = {"200": {}, "503": {"no model": UNAVAILABLE_FRAME}}
    for model in models:
        inputs = list_inputs(model)
        priced = answer_one(model, inputs)["200"]
        for name, value in inputs.items():
            if set(value) <= set(model.columns.values()):
                record = _name_columns(model, value)
                sent[f"{model.name}, {name}"] = {"dataframe_records": [record]}
            if name in priced:
                price = priced[name]["prediction"]["price"]
                answers["200"][f"{model.name}, {name}"] = {"predictions": [price]}
    frames = [_describe_frame(model) for model in models]
    operation["requestBody"]["content"]["application/json"] = {
        "schema": frames[0] if len(frames) == 1 else {"anyOf": frames},
        "examples": name_values(sent),
    }
    add_examples(operation["responses"], answers)


def _describe_frame(model: ServedModel) -> Json:
    """Describe MLflow's body by one of its four forms; the others hold the same in another way."""
    house = model.input_type.model_json_schema()
    required = {column for column, field in model.columns.items() if field in house["required"]}
    columns = {
        # What is null is as good as left out.
        column: field if column in required else {"anyOf": [field, {"type": "null"}]}
        for column, field in _name_columns(model, house["properties"]).items()
    }
    record = {"type": "object", "properties": columns, "required": sorted(required)}
    return {
        "type": "object",
        "description": "with the column names of the training data; or as `dataframe_split`, "
        "`instances` or `inputs`",
        "properties": {"dataframe_records": {"type": "array", "items": record}},
        "required": ["dataframe_records"],
        "additionalProperties": False,
    }


def _name_columns(model: ServedModel, fields: Mapping[str, Any]) -> Json:
    """Give values by field the names of the training columns."""
    return {column: fields[name] for column, name in model.columns.items() if name in fields}
