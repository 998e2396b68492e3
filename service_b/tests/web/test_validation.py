from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from predictor.errors import InvalidInput
from predictor.web.validation import check


class Room(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    area: float
    doors: Annotated[float, Field(multiple_of=1)] = 1
    windows: list[int] = []
    name: str = ""


def find_problems(value: object, *loc: str | int) -> list[dict[str, object]]:
    with pytest.raises(InvalidInput) as caught:
        check(Room, value, loc)
    return caught.value.problems


@pytest.mark.parametrize("digits", [310, 401, 4300])
def test_whole_number_too_large_for_a_float_is_told_as_that(digits: int) -> None:
    problem = {
        "type": "float_type",
        "loc": ["area"],
        "msg": "Input should be within the range of a 64-bit float",
    }
    assert find_problems({"area": -(10 ** (digits - 1))})[0].items() >= problem.items()


def test_valid_input_becomes_an_instance() -> None:
    assert check(Room, {"area": 10, "windows": [1]}, []) == Room(area=10, windows=[1])


def test_every_problem_has_its_place_under_the_given_one() -> None:
    problems = find_problems({"windows": [1, "two"], "colour": "red"}, "body", "inputs", 3)
    assert problems == [
        {"type": "missing", "loc": ["body", "inputs", 3, "area"], "msg": "Field required"},
        {
            "type": "int_type",
            "loc": ["body", "inputs", 3, "windows", 1],
            "msg": "Input should be a valid integer",
            "input": "two",
        },
        {
            "type": "extra_forbidden",
            "loc": ["body", "inputs", 3, "colour"],
            "msg": "Unknown field",
            "input": "red",
        },
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "Input should be a JSON object"),
        ({"area": 1, "windows": {}}, "Input should be a JSON array"),
        ({"area": 1, "doors": 1.5}, "Input should be a whole number"),
    ],
)
def test_problem_is_told_in_terms_of_json(value: object, message: str) -> None:
    assert find_problems(value)[0]["msg"] == message


@pytest.mark.parametrize("value", [None, True, 10**150, 0.5, "x" * 198])
def test_wrong_value_is_echoed_when_it_is_short(value: object) -> None:
    assert find_problems({"area": 1, "windows": value})[0]["input"] == value


@pytest.mark.parametrize("value", ["x" * 199, 10**4299, {}, {"a": 1}, float("inf")])
def test_wrong_value_is_not_echoed_when_it_is_long_or_holds_others_or_is_no_json(
    value: object,
) -> None:
    assert "input" not in find_problems({"area": 1, "windows": value})[0]


def test_no_more_than_a_hundred_problems_are_told() -> None:
    unknown: dict[str, Any] = {f"field_{number}": 1 for number in range(104)}
    assert len(find_problems(unknown)) == 100


def test_far_too_many_fields_are_one_problem() -> None:
    (problem,) = find_problems({f"field{number}": 1 for number in range(105)}, "body", "input")

    assert problem["loc"] == ["body", "input"]
    assert problem["msg"] == "Input has 105 fields, only 4 are known"


def test_likely_field_is_suggested_for_an_unknown_one() -> None:
    (problem,) = find_problems({"area": 1, "window": [1]}, "body", "inputs", 3)

    assert problem == {
        "type": "extra_forbidden",
        "loc": ["body", "inputs", 3, "window"],
        "msg": "Unknown field. Did you mean 'windows'?",
    }


def test_fields_are_suggested_only_for_the_first_three_unknown_ones() -> None:
    problems = find_problems({"area": 1} | {f"door{number}": 1 for number in range(5)})

    told = [problem["msg"] for problem in problems]
    assert told == ["Unknown field. Did you mean 'doors'?"] * 3 + ["Unknown field"] * 2


def test_long_name_of_an_unknown_field_is_not_repeated_whole() -> None:
    (problem,) = find_problems({"area": 1, "a" * 900_000: 1}, "body")

    assert problem["loc"] == ["body", f"{'a' * 200}…"]
