"""Holding JSON against a schema: the part of JSON Schema that Service A's contract uses."""

import re
from collections.abc import Iterator
from functools import reduce
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "null": type(None),
}


def find_problem(schema: Any, value: Any, document: Any, place: str = "the answer") -> str | None:
    """Say what is wrong with a value, and where; `document` is what references lead into."""
    return next(_find_problems(schema, value, document, place), None)


def _find_problems(schema: Any, value: Any, document: Any, place: str) -> Iterator[str]:
    if "$ref" in schema:
        names = schema["$ref"].removeprefix("#/").split("/")
        schema = reduce(lambda part, name: part[name], names, document)
    if "anyOf" in schema:
        problems = [find_problem(each, value, document, place) for each in schema["anyOf"]]
        if all(problems):
            yield " or ".join(filter(None, problems))
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is_of(name, value) for name in types):
        yield f"{place} is not of type {' or '.join(types)}"
    elif isinstance(value, str):
        if len(value) > schema.get("maxLength", len(value)):
            yield f"{place} has more than {schema['maxLength']} characters"
        if not re.search(schema.get("pattern", ""), value):
            yield f"{place} doesn't match {schema['pattern']}"
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{place} has fewer than {schema['minItems']} items"
        for index, item in enumerate(value):
            yield from _find_problems(schema.get("items", {}), item, document, f"{place}[{index}]")
    elif isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                yield f"{place} has no {name!r}"
        for name in schema.get("properties", {}).keys() & value.keys():
            part = schema["properties"][name]
            yield from _find_problems(part, value[name], document, f"{place}.{name}")


def _is_of(name: str, value: Any) -> bool:
    return isinstance(value, _TYPES[name]) and not isinstance(value, bool)
