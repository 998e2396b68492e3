"""The real Service B keeps the contract that Service A has of it."""

import json
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from lab.service_b_check import check_service_b
from tests.running_lab import ROOT, Service

CONTRACT: Any = json.loads((ROOT / "service_a/service_b_contract.json").read_text("utf-8"))
SERVICE_B: Any = json.loads((ROOT / "service_b/openapi.json").read_text("utf-8"))


def resolve(document: Any, schema: Any) -> Any:
    if "$ref" not in schema:
        return schema
    names = schema["$ref"].removeprefix("#/").split("/")
    return reduce(lambda part, name: part[name], names, document)


def list_types(document: Any, schema: Any) -> set[str]:
    """List the JSON types that a schema allows; all when it says nothing of them."""
    schema = resolve(document, schema)
    if "anyOf" in schema:
        return {each for part in schema["anyOf"] for each in list_types(document, part)}
    types = schema.get("type", ["object", "array", "string", "number", "boolean", "null"])
    return {types} if isinstance(types, str) else set(types)


def find_gaps(needed: Any, given: Any, place: str) -> Iterator[str]:
    """List what Service A needs of an answer and Service B's own document doesn't promise."""
    needed, given = resolve(CONTRACT, needed), resolve(SERVICE_B, given)
    if "anyOf" in needed:  # a result: each kind that Service B gives must fit one
        for part in given["anyOf"]:
            if all([*find_gaps(each, part, place)] for each in needed["anyOf"]):
                yield f"{place}: fits none"
        return
    types = list_types(CONTRACT, needed)
    allowed = types | ({"integer"} if "number" in types else set())
    if not list_types(SERVICE_B, given) <= allowed:
        yield f"{place}: {list_types(SERVICE_B, given)}"
    for name in needed.get("required", []):
        if name not in given.get("required", []):
            yield f"{place}.{name}: is not required"
    for name, part in needed.get("properties", {}).items():
        if name in given.get("properties", {}):
            yield from find_gaps(part, given["properties"][name], f"{place}.{name}")
    if "items" in needed and "items" in given:
        yield from find_gaps(needed["items"], given["items"], f"{place}[]")


def read_schema(content: Any) -> Any:
    return content["content"]["application/json"]["schema"]


@pytest.mark.parametrize("model", ["ames", "california"])
@pytest.mark.parametrize("path", CONTRACT["paths"])
def test_document_of_service_b_promises_what_service_a_needs(path: str, model: str) -> None:
    needed = CONTRACT["paths"][path]["post"]
    given = SERVICE_B["paths"][path.replace("{name}", model)]["post"]
    body = resolve(CONTRACT, read_schema(needed["requestBody"]))
    taken = resolve(SERVICE_B, read_schema(given["requestBody"]))

    assert taken["required"] == body["required"]
    for status in ("200", "422"):
        if "content" in needed["responses"][status]:
            first, second = (read_schema(each["responses"][status]) for each in (needed, given))
            assert list(find_gaps(first, second, "answer")) == []


def test_service_b_passes_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service = Service("service_b", tmp_path / "service_b.log", {})
    service.start()
    try:
        assert check_service_b(f"{service.url}/predict")
    finally:
        assert service.stop() == 0

    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 8  # six calls, and nothing to note
    assert shown[-1] == "6 calls, 0 not as Service A needs them"
