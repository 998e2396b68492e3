import json

import pytest
from pydantic import BaseModel, Field

from gateway.errors import InvalidInput
from gateway.web.schemas import ProcessRequest
from gateway.web.validation import check


class Room(BaseModel):
    windows: int = Field(multiple_of=1)


class Price(BaseModel):
    price: float = Field(strict=True)


class Flat(BaseModel):
    rooms: list[Room]


def find_problems(value: object) -> list[dict[str, object]]:
    with pytest.raises(InvalidInput) as caught:
        check(ProcessRequest, value, ["body"])
    return caught.value.problems


@pytest.mark.parametrize("digits", [310, 401, 4300])
def test_whole_number_too_large_for_a_float_is_told_as_that(digits: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(Price, {"price": 10 ** (digits - 1)}, ["body"])

    (problem,) = caught.value.problems
    assert problem["loc"] == ["body", "price"]
    assert problem["msg"] == "Input should be within the range of a 64-bit float"


def test_instance_is_returned_when_the_value_fits() -> None:
    request = check(ProcessRequest, {"data": {"a": 1}, "forward_to_model": False}, ["body"])

    assert request.data == {"a": 1}
    assert request.forward_to_model is False


def test_input_is_forwarded_when_nothing_is_said() -> None:
    assert check(ProcessRequest, {"data": 0}, ["body"]).forward_to_model is True


@pytest.mark.parametrize("value", [[], [1], "x", 5, 1.5, True, None])
def test_object_is_asked_for_when_something_else_is_sent(value: object) -> None:
    (problem,) = find_problems(value)

    assert problem["type"] == "model_type"
    assert problem["loc"] == ["body"]
    assert problem["msg"] == "Input should be a JSON object"


@pytest.mark.parametrize("value", [1, 0, "true", "yes", None, [], {}, float("inf"), 10**4299])
def test_only_true_or_false_says_whether_to_forward(value: object) -> None:
    (problem,) = find_problems({"data": 1, "forward_to_model": value})

    assert problem["loc"] == ["body", "forward_to_model"]
    assert problem["msg"] == "Input should be a valid boolean"


def test_every_problem_is_told_in_the_callers_terms() -> None:
    assert find_problems({"forward_to_model": 1, "extra": 2}) == [
        {"type": "missing", "loc": ["body", "data"], "msg": "Field required"},
        {
            "type": "bool_type",
            "loc": ["body", "forward_to_model"],
            "msg": "Input should be a valid boolean",
            "input": 1,
        },
        {"type": "extra_forbidden", "loc": ["body", "extra"], "msg": "Unknown field", "input": 2},
    ]


def test_null_is_not_an_input() -> None:
    (problem,) = find_problems({"data": None})

    assert problem["loc"] == ["body", "data"]
    assert problem["msg"] == "Input should be any JSON but null"


def test_place_leads_into_lists_and_nested_objects() -> None:
    with pytest.raises(InvalidInput) as caught:
        check(Flat, {"rooms": [{"windows": 1}, {"windows": 1.5}, 7]}, ["body", "data"])

    assert [problem["loc"] for problem in caught.value.problems] == [
        ["body", "data", "rooms", 1, "windows"],
        ["body", "data", "rooms", 2],
    ]


@pytest.mark.parametrize(("value", "echoed"), [("x" * 198, True), ("x" * 199, False)])
def test_wrong_value_is_echoed_only_when_it_is_short(value: str, echoed: bool) -> None:
    (problem,) = find_problems(value)

    assert ("input" in problem) is echoed


def test_answer_stays_short_when_there_are_very_many_problems() -> None:
    problems = find_problems({f"field{number}": {"deep": "x" * 1000} for number in range(103)})

    assert len(problems) == 100
    assert len(json.dumps(problems)) < 20_000


def test_far_too_many_fields_are_one_problem() -> None:
    (problem,) = find_problems({f"field{number}": 1 for number in range(104)})

    assert problem["loc"] == ["body"]
    assert problem["msg"] == "Input has 104 fields, only 3 are known"


def test_likely_field_is_suggested_for_an_unknown_one() -> None:
    (problem,) = find_problems({"data": 1, "forward_to_modle": True})

    assert problem == {
        "type": "extra_forbidden",
        "loc": ["body", "forward_to_modle"],
        "msg": "Unknown field. Did you mean 'forward_to_model'?",
        "input": True,
    }


def test_fields_are_suggested_only_for_the_first_three_unknown_ones() -> None:
    problems = find_problems({"data": 1} | {f"model{number}": 1 for number in range(5)})

    told = [problem["msg"] for problem in problems]
    assert told == ["Unknown field. Did you mean 'model'?"] * 3 + ["Unknown field"] * 2


def test_long_name_of_an_unknown_field_is_not_repeated_whole() -> None:
    (problem,) = find_problems({"data": 1, "a" * 900_000: 1})

    assert problem["loc"] == ["body", f"{'a' * 200}…"]
