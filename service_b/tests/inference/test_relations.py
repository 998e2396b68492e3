from typing import Any

import pytest

from predictor.card import ModelCard
from predictor.inference.input_schema import build_input_type
from predictor.inference.relations import build_checks, find_warnings

FLOORS = {
    "kind": "sum",
    "fields": ["first_flr_sf", "lot_frontage", "garage_yr_blt"],
    "tolerance": 1,
    "says": "",
    "message": "The floor has {first_flr_sf}, its parts {sum} sq ft",
}
ROOMS = {
    "kind": "at_most",
    "fields": ["overall_qual", "lot_frontage"],
    "offset": 1,
    "says": "",
    "message": "{overall_qual:room} in {lot_frontage} ft",
}
POOL = {
    "kind": "none_if_zero",
    "fields": ["pool_qc", "lot_frontage"],
    "says": "",
    "message": "{lot_frontage:pool}, but there is none",
    "message_if_zero": "A pool of {pool_qc}, but {lot_frontage:pool}",
}


def warn(card: dict[str, Any], relation: dict[str, Any], **changes: Any) -> list[str]:
    """What is said of an input with the fields of the house that are changed to something."""
    features = [
        feature | ({"minimum": 0} if feature["kind"] in ("number", "integer") else {})
        for feature in card["features"]
    ]
    model = ModelCard.model_validate(card | {"features": features, "relations": [relation]})
    house = {"first_flr_sf": 900, "overall_qual": 5, "neighborhood": "NAmes"} | changes
    given = build_input_type(model).model_validate(house)
    found = find_warnings(build_checks(model.relations, model.features), given)
    assert all(each.fields == tuple(relation["fields"]) for each in found)
    return [each.msg for each in found]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((200, 700), []),
        ((200, 701), []),
        ((199, 700), []),
        ((200.5, 701), ["The floor has 900, its parts 901.5 sq ft"]),
        ((0, 700), ["The floor has 900, its parts 700 sq ft"]),
        ((400, None), []),
    ],
)
def test_sum_is_contradicted_when_it_is_off_by_more_than_it_may(
    card_content: dict[str, Any], parts: tuple[float, int | None], said: list[str]
) -> None:
    width, year = parts
    assert warn(card_content, FLOORS, lot_frontage=width, garage_yr_blt=year) == said
    assert warn(card_content, FLOORS, garage_yr_blt=year) == []


@pytest.mark.parametrize(
    ("quality", "said"), [(5, []), (6, ["6 rooms in 4.5 ft"]), (2, []), (1, [])]
)
def test_number_is_contradicted_when_it_is_above_what_it_may_be_at_most(
    card_content: dict[str, Any], quality: int, said: list[str]
) -> None:
    assert warn(card_content, ROOMS, overall_qual=quality, lot_frontage=4.5) == said
    assert warn(card_content, ROOMS, overall_qual=quality) == []


@pytest.mark.parametrize(
    ("kind", "number", "said"),
    [
        (None, 0, []),
        ("NA", 0, []),
        ("na ", 0, []),
        ("Ex", 1, []),
        (None, 1, ["1 pool, but there is none"]),
        ("NA", 2, ["2 pools, but there is none"]),
        ("Ex", 0, ["A pool of Ex, but 0 pools"]),
    ],
)
def test_none_is_contradicted_by_a_number_and_a_kind_by_zero(
    card_content: dict[str, Any], kind: str | None, number: float, said: list[str]
) -> None:
    assert warn(card_content, POOL, pool_qc=kind, lot_frontage=number) == said


def test_nothing_is_said_of_a_field_that_is_unknown(card_content: dict[str, Any]) -> None:
    assert warn(card_content, POOL, lot_frontage=1) == []
    assert warn(card_content, POOL, pool_qc=None) == []
