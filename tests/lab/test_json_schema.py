import json

import pytest

from lab.json_schema import find_problem
from tests.running_lab import ROOT

CONTRACT = json.loads((ROOT / "service_a/service_b_contract.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({}, None, None),
        ({"type": "number"}, 1, None),
        ({"type": "number"}, 1.5, None),
        ({"type": "integer"}, 1.5, "the answer is not of type integer"),
        ({"type": "number"}, True, "the answer is not of type number"),
        ({"type": ["number", "null"]}, None, None),
        ({"type": ["number", "null"]}, "1", "the answer is not of type number or null"),
        ({"type": "string", "maxLength": 2}, "abc", "the answer has more than 2 characters"),
        ({"type": "string", "pattern": "^[ -~]*$"}, "é", "the answer doesn't match ^[ -~]*$"),
        ({"type": "array", "minItems": 1}, [], "the answer has fewer than 1 items"),
        ({"items": {"type": "string"}}, ["a", 1], "the answer[1] is not of type string"),
        ({"required": ["a"]}, {"b": 1}, "the answer has no 'a'"),
        ({"properties": {"a": {"type": "null"}}}, {"a": 1}, "the answer.a is not of type null"),
        ({"properties": {"a": {"type": "null"}}}, {"b": 1}, None),
        ({"anyOf": [{"type": "null"}, {"required": ["a"]}]}, {"a": 1}, None),
        (
            {"anyOf": [{"type": "null"}, {"required": ["a"]}]},
            {},
            "the answer is not of type null or the answer has no 'a'",
        ),
    ],
)
def test_problem_of_a_value_is_said_with_its_place(
    schema: object, value: object, problem: str | None
) -> None:
    assert find_problem(schema, value, {}) == problem


def test_every_example_of_the_contract_fits_its_schema() -> None:
    contents = [
        part["content"]["application/json"]
        for methods in CONTRACT["paths"].values()
        for part in [methods["post"]["requestBody"], *methods["post"]["responses"].values()]
        if "content" in part
    ]

    assert len(contents) == 11
    for content in contents:
        for example in content["examples"].values():
            assert find_problem(content["schema"], example["value"], CONTRACT) is None
