from typing import Any

import pytest
from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.errors import InvalidInput
from predictor.inference.input_schema import build_input_type
from predictor.web.validation import check


@pytest.fixture
def tiny_input(card: ModelCard) -> type[BaseModel]:
    return build_input_type(card)


def find_problem(input_type: type[BaseModel], value: object) -> dict[str, object]:
    """The only problem that a wrong input has."""
    with pytest.raises(InvalidInput) as caught:
        check(input_type, value, [])
    (problem,) = caught.value.problems
    return problem


def test_type_is_named_after_the_model(card_content: dict[str, Any]) -> None:
    card = ModelCard.model_validate(card_content | {"name": "tiny-house_2"})
    assert build_input_type(card).__name__ == "TinyHouse2Input"


def test_snake_case_and_camel_case_give_the_same_input(
    tiny_input: type[BaseModel], house: dict[str, Any]
) -> None:
    camel = {
        "id": 1461,
        "firstFlrSf": 896,
        "overallQual": 5,
        "neighborhood": "NAmes",
        "msSubClass": 20,
        "poolQc": None,
        "garageYrBlt": 1961,
        "lotFrontage": 80.5,
    }
    assert check(tiny_input, camel, []) == check(tiny_input, house, [])


def test_only_the_required_fields_are_required(tiny_input: type[BaseModel]) -> None:
    required = {"first_flr_sf": 896, "overall_qual": 5, "neighborhood": "NAmes"}
    assert check(tiny_input, required, []).model_fields_set == set(required)


@pytest.mark.parametrize("name", ["first_flr_sf", "overall_qual", "neighborhood"])
def test_missing_field_is_named_in_snake_case(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str
) -> None:
    del house[name]
    problem = find_problem(tiny_input, house)
    assert problem == {"type": "missing", "loc": [name], "msg": "Field required"}


@pytest.mark.parametrize("name", ["overall_qual", "overallQual"])
def test_wrong_field_is_named_as_the_caller_wrote_it(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str
) -> None:
    del house["overall_qual"]
    problem = find_problem(tiny_input, house | {name: 11})
    assert problem["loc"] == [name]
    assert problem["msg"] == "Input should be less than or equal to 10"
    assert problem["input"] == 11


def test_both_names_at_once_are_refused(tiny_input: type[BaseModel], house: dict[str, Any]) -> None:
    problem = find_problem(tiny_input, house | {"overallQual": 5})
    assert (problem["loc"], problem["msg"]) == (["overallQual"], "Unknown field")


@pytest.mark.parametrize("name", ["colour", "1stFlrSF", "OverallQual", "overall-qual", "", "ID"])
def test_unknown_field_is_refused(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str
) -> None:
    problem = find_problem(tiny_input, house | {name: 1})
    assert (problem["loc"], problem["msg"]) == ([name], "Unknown field")


@pytest.mark.parametrize("name", ["first_flr_sf", "overall_qual", "id", "garage_yr_blt"])
@pytest.mark.parametrize("value", [True, "900", [900], {}, "", "NaN"])
def test_number_is_refused_when_it_is_not_a_json_number(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str, value: object
) -> None:
    problem = find_problem(tiny_input, house | {name: value})
    assert (problem["loc"], problem["msg"]) == ([name], "Input should be a valid number")


@pytest.mark.parametrize("name", ["first_flr_sf", "overall_qual", "id", "garage_yr_blt"])
@pytest.mark.parametrize("value", [10**400, -(10**400), 1e308, float("inf"), float("-inf")])
def test_number_is_refused_when_it_is_huge(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str, value: float
) -> None:
    assert find_problem(tiny_input, house | {name: value})["loc"] == [name]


@pytest.mark.parametrize("name", ["overall_qual", "garage_yr_blt", "id"])
def test_whole_number_may_be_written_with_a_point(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str
) -> None:
    value = float(house[name])
    assert getattr(check(tiny_input, house | {name: value}, []), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("overall_qual", 5.5),
        ("overall_qual", 5 + 1e-12),
        ("garage_yr_blt", 1961.0001),
        ("id", 2**33 + 0.5),
    ],
)
def test_fraction_is_refused_when_a_whole_number_is_expected(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str, value: float
) -> None:
    problem = find_problem(tiny_input, house | {name: value})
    assert (problem["loc"], problem["msg"]) == ([name], "Input should be a whole number")


@pytest.mark.parametrize(
    ("name", "minimum", "maximum"),
    [
        ("first_flr_sf", 300, 5000),
        ("overall_qual", 1, 10),
        ("lot_frontage", 10, 400),
        ("id", 0, 2**53 - 1),
    ],
)
def test_bounds_are_allowed_and_nothing_beyond_them(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str, minimum: int, maximum: int
) -> None:
    for value in (minimum, maximum):
        check(tiny_input, house | {name: value}, [])
    too_small = find_problem(tiny_input, house | {name: minimum - 1})
    assert too_small["msg"] == f"Input should be greater than or equal to {minimum}"
    too_large = find_problem(tiny_input, house | {name: maximum + 1})
    assert too_large["msg"] == f"Input should be less than or equal to {maximum}"


@pytest.mark.parametrize("value", ["NAmes", "Veenker", "C (all)", "2fmCon"])
def test_category_is_allowed_however_oddly_it_is_spelled(
    tiny_input: type[BaseModel], house: dict[str, Any], value: str
) -> None:
    check(tiny_input, house | {"neighborhood": value}, [])


@pytest.mark.parametrize("value", ["names", " NAmes\t", "NAMES"])
def test_category_is_taken_in_any_spelling_as_the_one_that_it_names(
    tiny_input: type[BaseModel], house: dict[str, Any], value: str
) -> None:
    assert check(tiny_input, house | {"neighborhood": value}, []) == check(tiny_input, house, [])
    none = check(tiny_input, house | {"pool_qc": "na"}, [])
    assert none == check(tiny_input, house | {"pool_qc": "NA"}, [])


@pytest.mark.parametrize("value", ["N Ames", "NAmes\x00", "", 0, True, ["NAmes"], {}])
def test_unknown_category_is_refused_with_the_known_ones(
    tiny_input: type[BaseModel], house: dict[str, Any], value: object
) -> None:
    problem = find_problem(tiny_input, house | {"neighborhood": value})
    assert problem["loc"] == ["neighborhood"]
    expected = "'NAmes', 'Veenker', 'C (all)' or '2fmCon'"
    assert (problem["msg"], problem["ctx"]) == (
        f"Input should be {expected}",
        {"expected": expected},
    )


@pytest.mark.parametrize("value", ["20", 21, 20.5, True, [20]])
def test_category_of_numbers_takes_only_its_numbers(
    tiny_input: type[BaseModel], house: dict[str, Any], value: object
) -> None:
    problem = find_problem(tiny_input, house | {"ms_sub_class": value})
    assert problem["msg"] == "Input should be 20, 60 or 120"


@pytest.mark.parametrize("name", ["pool_qc", "garage_yr_blt"])
def test_null_is_allowed_where_the_card_says_so(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str
) -> None:
    values = check(tiny_input, house | {name: None}, [])
    assert getattr(values, name) is None
    assert name in values.model_fields_set


@pytest.mark.parametrize(
    "name", ["id", "first_flr_sf", "overall_qual", "neighborhood", "ms_sub_class", "lot_frontage"]
)
def test_null_is_refused_elsewhere(
    tiny_input: type[BaseModel], house: dict[str, Any], name: str
) -> None:
    assert find_problem(tiny_input, house | {name: None})["loc"] == [name]


@pytest.mark.parametrize("value", [[], "house", 1, None, True])
def test_input_is_refused_when_it_is_not_an_object(
    tiny_input: type[BaseModel], value: object
) -> None:
    assert find_problem(tiny_input, value)["msg"] == "Input should be a JSON object"


def test_schema_names_each_feature_with_all_that_the_card_says_of_it(
    tiny_input: type[BaseModel],
) -> None:
    schema = tiny_input.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["first_flr_sf", "overall_qual", "neighborhood"]
    assert schema["properties"]["first_flr_sf"] == {
        "title": "1stFlrSF",
        "description": "Area of the first floor. Unit: sq ft.",
        "examples": [896],
        "type": "number",
        "minimum": 300,
        "maximum": 5000,
    }
    assert schema["properties"]["overall_qual"] == {
        "title": "OverallQual",
        "description": "Material and finish.",
        "examples": [5],
        "type": "integer",
        "minimum": 1,
        "maximum": 10,
    }
    assert schema["properties"]["ms_sub_class"] == {
        "title": "MSSubClass",
        "description": "Type of dwelling.",
        "examples": [20],
        "type": "integer",
        "enum": [20, 60, 120],
    }
    assert schema["properties"]["pool_qc"] == {
        "title": "PoolQC",
        "description": "Quality of the pool. null means none, the same as 'NA'.",
        "examples": [None],
        "anyOf": [{"type": "string", "enum": ["Ex", "Gd", "NA"]}, {"type": "null"}],
    }
    assert schema["properties"]["garage_yr_blt"] == {
        "title": "GarageYrBlt",
        "description": "Year of the garage. null means unknown.",
        "examples": [1961],
        "anyOf": [{"type": "integer", "minimum": 1870, "maximum": 2030}, {"type": "null"}],
    }
    assert schema["properties"]["lot_frontage"] == {
        "title": "LotFrontage",
        "description": "Length of the lot along the street. Unit: ft.",
        "examples": [80.5],
        "type": "number",
        "minimum": 10,
        "maximum": 400,
    }
