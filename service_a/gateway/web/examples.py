"""Named examples of the bodies, and what the services really answer to them, for the documents.

Service B's answers are those of the versions that ship with the lab; a test asks for them again.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from gateway.web.house import House
from gateway.web.schemas import DISTRICT

Json = dict[str, Any]
Values = dict[str, JsonValue]

FOUR_FACTS: Values = {
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
_WRONG: Values = FOUR_FACTS | {"grLivArea": -1}
_ID: Values = {"id": 1461}
_WRONG_DISTRICT = DISTRICT | {"latitude": -1}
_HOUSES = {"four facts": FOUR_FACTS, "all facts": ALL_FACTS, "wrong": _WRONG}

INPUTS: dict[str, dict[str, Json]] = {
    "/process": {
        **{name: {"data": house} for name, house in _HOUSES.items()},
        "only to be logged": {"data": FOUR_FACTS, "forward_to_model": False},
        "no such model": {"data": FOUR_FACTS, "model": "no-such-model"},
    },
    "/api/v1/price/predict": {name: _ID | house for name, house in _HOUSES.items()},
    "/api/v1/price/predict/batch": {
        name: {"data": [_ID | house]} for name, house in _HOUSES.items()
    },
    "/api/v1/predict": {
        "all facts": {"instances": [DISTRICT]},
        "wrong": {"instances": [_WRONG_DISTRICT]},
    },
}
SERVICE_B_DOWN: Json = {"detail": "Service B is unavailable"}

_ANSWERS = Path(__file__).with_name("example_answers.json")


def show_examples(document: Json, paths: set[str]) -> None:
    """Put the examples of some calls into the document."""
    answers = json.loads(_ANSWERS.read_text(encoding="utf-8"))
    for path in paths:
        operation = document["paths"][path]["post"]
        body = operation["requestBody"]["content"]["application/json"]
        body["examples"] = {name: {"value": value} for name, value in INPUTS[path].items()}
        shown = answers[path] | {"503": {"Service B is down": SERVICE_B_DOWN}}
        for status, named in shown.items():
            content = operation["responses"][status]["content"]["application/json"]
            content["examples"] = {name: {"value": value} for name, value in named.items()}
