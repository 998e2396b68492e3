from typing import Any

import pytest
from pydantic import ValidationError

from gateway.web.house import House
from gateway.web.schemas import HOUSE
from generate_house import SOURCE, TARGET, describe_house, generate_house


def find_problems(**changes: object) -> list[tuple[Any, str]]:
    with pytest.raises(ValidationError) as caught:
        House.model_validate({**HOUSE, **changes})
    return [(problem["loc"], problem["msg"]) for problem in caught.value.errors()]


@pytest.mark.skipif(not SOURCE.exists(), reason="Service B's contract is not beside this folder")
def test_contract_is_what_service_b_takes_now() -> None:
    assert generate_house() == TARGET.read_text(), "run: python generate_house.py"


def test_house_can_be_what_another_model_takes() -> None:
    longitude = {"type": "number", "minimum": -125, "maximum": -114}
    flat = {"description": "A flat.", "properties": {"long_side": longitude}, "required": []}

    schema = describe_house({"components": {"schemas": {"FlatInput": flat}}}, "FlatInput")

    assert (schema["title"], schema["description"]) == ("House", "A flat.")
    assert (schema["properties"], schema["required"]) == ({"longSide": longitude}, ["id"])


def test_every_field_is_named_in_camel_case_and_described() -> None:
    house = House.model_json_schema()

    assert len(house["properties"]) == 80
    for name, field in house["properties"].items():
        assert name.isalnum(), name
        assert name[0].islower(), name
        assert field["description"], name
        domain = field["anyOf"][0] if "anyOf" in field else field
        assert "enum" in domain or {"minimum", "maximum"} <= domain.keys(), name


def test_five_fields_are_required() -> None:
    required = ["id", "overallQual", "grLivArea", "yearBuilt", "neighborhood"]

    House.model_validate({name: HOUSE[name] for name in required})
    with pytest.raises(ValidationError) as caught:
        House.model_validate({})
    assert {problem["loc"] for problem in caught.value.errors()} == {(name,) for name in required}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("street", "Dummy", "Input should be 'Grvl' or 'Pave'"),
        ("street", None, "Input should be 'Grvl' or 'Pave'"),
        ("alley", "Dirt", "Input should be 'Grvl', 'NA' or 'Pave'"),
        ("overallQual", 11, "Input should be less than or equal to 10"),
        ("overallQual", "7", "Input should be a valid number"),
        ("overallQual", True, "Input should be a valid number"),
        ("overallQual", 7.5, "Input should be a multiple of 1"),
        ("overallQual", None, "Input should be a valid number"),
        ("grLivArea", 1e400, "Input should be less than or equal to 6000"),
        ("id", 0, "Input should be greater than or equal to 1"),
        ("gr_liv_area", 1710, "Extra inputs are not permitted"),
    ],
)
def test_wrong_field_is_told_with_what_was_expected(
    field: str, value: object, message: str
) -> None:
    assert find_problems(**{field: value}) == [((field,), message)]


@pytest.mark.parametrize(
    ("field", "value"),
    [("alley", None), ("alley", "NA"), ("overallQual", 7.0), ("lotFrontage", None), ("id", 1)],
)
def test_null_and_whole_floats_are_taken_where_they_have_a_meaning(
    field: str, value: object
) -> None:
    House.model_validate({**HOUSE, field: value})


def test_every_category_is_taken_in_any_spelling() -> None:
    properties = House.model_json_schema()["properties"]
    domains = {
        name: each.get("anyOf", [each])[0].get("enum", ()) for name, each in properties.items()
    }
    categories = [
        (name, text) for name, domain in domains.items() for text in domain if type(text) is str
    ]

    assert len(categories) > 250
    for name, text in categories:
        for spelled in (text, text.upper(), text.lower(), f"\t{text} "):
            assert getattr(House.model_validate({**HOUSE, name: spelled}), name) == text


def test_description_of_a_house_takes_over_what_is_allowed() -> None:
    fields = {
        "first_flr_sf": {
            "anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}],
            "title": "1stFlrSF",
        },
        "street": {"type": "string", "enum": ["Pave"]},
    }
    source = {"properties": fields, "required": ["street"]}

    house = describe_house({"components": {"schemas": {"AmesInput": source}}})

    assert house["required"] == ["id", "street"]
    assert house["properties"] == {
        "firstFlrSf": {
            "type": ["number", "null"],
            "minimum": 1,
            "maximum": 9,
            "multipleOf": 1,
            "title": "1stFlrSF",
        },
        "street": {"type": "string", "enum": ["Pave"]},
    }
