from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, Field

from predictor.web.suggestion import suggest_field, suggest_name


def both(snake: str, camel: str) -> Any:
    return Field(validation_alias=AliasChoices(snake, camel))


class House(BaseModel):
    overall_qual: Annotated[int, both("overall_qual", "overallQual")]
    overall_cond: Annotated[int, both("overall_cond", "overallCond")]
    gr_liv_area: Annotated[int, both("gr_liv_area", "grLivArea")]
    first_flr_sf: Annotated[int, both("first_flr_sf", "firstFlrSf")]
    fence: str


@pytest.mark.parametrize(
    ("wrote", "meant"),
    [
        ("overal_qual", "overall_qual"),
        ("overalQual", "overallQual"),
        ("OverallQual", "overallQual"),
        ("OVERALL_QUAL", "overall_qual"),
        ("overall-qual", "overall_qual"),
        ("overallqual", "overall_qual"),
        ("overall_quality", "overall_qual"),
        ("overall", "overall_qual"),
        ("living_area", "gr_liv_area"),
        ("livingArea", "grLivArea"),
        ("1stFlrSF", "firstFlrSf"),
        ("fnece", "fence"),
    ],
)
def test_field_that_was_likely_meant_is_suggested_as_the_caller_spells(
    wrote: str, meant: str
) -> None:
    assert suggest_field(House, {wrote: 1}, [wrote]) == meant


@pytest.mark.parametrize("wrote", ["colour", "price", "", "$", "é" * 100, "fence" * 100_000, "\0"])
def test_nothing_is_suggested_when_no_field_is_like_the_name(wrote: str) -> None:
    assert suggest_field(House, {wrote: 1}, [wrote]) is None


@pytest.mark.parametrize("given", ["overall_qual", "overallQual"])
def test_nothing_is_suggested_when_the_likely_field_is_given_too(given: str) -> None:
    assert suggest_field(House, {given: 7, "overal_qual": 7}, ["overal_qual"]) is None


def test_nothing_is_suggested_deeper_than_the_input_itself() -> None:
    assert suggest_field(House, {"fence": {"fnece": 1}}, ["fence", "fnece"]) is None


def test_nothing_is_suggested_when_there_are_no_fields() -> None:
    assert suggest_field(BaseModel, {"a": 1}, ["a"]) is None


def test_alias_is_suggested_when_a_field_has_one() -> None:
    class Flower(BaseModel):
        petal_width: Annotated[float, Field(alias="petal width (cm)")]
        colour: Annotated[str, Field(validation_alias=AliasPath("look", "colour"))]

    assert suggest_field(Flower, {"petal width": 1}, ["petal width"]) == "petal width (cm)"


@pytest.mark.parametrize(
    ("wrote", "meant"),
    [
        ("outcom", "outcome"),
        ("Outcome", "outcome"),
        ("before", "received_before"),
        ("requestId", "request_id"),
        ("zebra", None),
        ("", None),
        ("outcome" * 100, None),
    ],
)
def test_name_that_was_likely_meant_is_suggested(wrote: str, meant: str | None) -> None:
    names = ["outcome", "received_from", "received_before", "request_id"]

    assert suggest_name(wrote, names) == meant
    assert suggest_name(wrote, []) is None
