"""Named examples of the bodies, and what the services really answer to them, for the documents.

The answers are those of the versions that ship with the lab: `tests/test_contract_examples.py`, at
the root of the repository, asks for them again, and writes new ones with `UPDATE_DOCUMENTATION=1`.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from gateway.web.house import House
from gateway.web.schemas import DISTRICT

Json = dict[str, Any]
Values = dict[str, JsonValue]

_FOUR_FACTS: Values = {
    "overallQual": 7,
    "grLivArea": 1710,
    "yearBuilt": 2003,
    "neighborhood": "CollgCr",
}
ALL_FACTS: Values = {
    name: field.examples[0]
    for name, field in House.model_fields.items()
    if field.examples and name != "id"
}
_WRONG: Values = _FOUR_FACTS | {"grLivArea": -1}
_ID: Values = {"id": 1461}
_WRONG_DISTRICT = DISTRICT | {"latitude": -1}
_HOUSES = {"four facts": _FOUR_FACTS, "all facts": ALL_FACTS, "wrong": _WRONG}

INPUTS: dict[str, dict[str, Json]] = {
    "/process": {
        **{name: {"data": house} for name, house in _HOUSES.items()},
        "only to be logged": {"data": _FOUR_FACTS, "forward_to_model": False},
        "no such model": {"data": _FOUR_FACTS, "model": "no-such-model"},
    },
    "/api/v1/price/predict": {name: _ID | house for name, house in _HOUSES.items()},
    "/api/v1/price/predict/batch": {
        name: {"data": [_ID | house]} for name, house in _HOUSES.items()
    },
    "/api/v1/predict": {
        "all facts": {"instances": [DISTRICT]},
        "wrong": {"instances": [_WRONG_DISTRICT]},
    },
    "/actuals": {
        "two prices": {
            "actuals": [
                {"number": 12, "price": 215000.0},
                {"request_id": "my-first-trace", "price": 198500.0},
            ]
        },
        "wrong": {"actuals": [{"request_id": "my-first-trace", "price": 0}]},
    },
}
SERVICE_B_DOWN: Json = {"detail": "Service B is unavailable"}
NOT_LOGGED: Json = {"detail": "Input could not be logged"}
_UNREADABLE: Json = {"detail": "Input log is unavailable"}
LOG_DOWN: dict[str, Json] = {
    "/health": {"service": "Service A", "status": "unhealthy", "circuit_breaker": "closed"},
    "/inputs": _UNREADABLE,
    "/inputs/export": _UNREADABLE,
    "/inputs/replay": _UNREADABLE,
    "/inputs/{request_id}": _UNREADABLE,
    "/quality": _UNREADABLE,
    "/actuals": {"detail": "Actual prices could not be recorded"},
}
"""What a call is answered when the input log can't be used, if it isn't `NOT_LOGGED`."""

ANSWERS = Path(__file__).with_name("example_answers.json")


def show_examples(document: Json, hidden: set[str]) -> None:
    """Put the examples of every call into the document, but of those in `hidden`."""
    paths: Json = document["paths"]
    answers = json.loads(ANSWERS.read_text(encoding="utf-8"))
    for path in paths.keys() & (answers.keys() | INPUTS.keys() | LOG_DOWN.keys()) - hidden:
        (operation,) = paths[path].values()
        if path in INPUTS:
            body = operation["requestBody"]["content"]["application/json"]
            body["examples"] = _name_values(INPUTS[path])
        for status, named in (answers.get(path, {}) | _list_failures(path)).items():
            (content,) = operation["responses"][status]["content"].values()
            content["examples"] = _name_values(named)


def _list_failures(path: str) -> dict[str, dict[str, Json]]:
    """Give the examples of what is answered when something is down."""
    if path in LOG_DOWN:
        return {"503": {"the log is down": LOG_DOWN[path]}}
    if path in INPUTS:
        return {"503": {"Service B is down": SERVICE_B_DOWN, "the log is down": NOT_LOGGED}}
    return {}


def _name_values(values: dict[str, Json]) -> Json:
    """Write examples as OpenAPI has them."""
    return {name: {"value": value} for name, value in values.items()}
