import pytest
from pydantic import BaseModel

from gateway.web.house import House
from gateway.web.schemas import PriceBatchRequest, ProcessRequest
from gateway.web.suggestion import suggest_field


@pytest.mark.parametrize(
    ("model", "wrote", "meant"),
    [
        (House, "overalQual", "overallQual"),
        (House, "nieghborhood", "neighborhood"),
        (House, "fnece", "fence"),
        (House, "livingArea", "grLivArea"),
        (House, "overall_qual", "overallQual"),
        (House, "1stFlrSF", "firstFlrSf"),
        (ProcessRequest, "forward_to_modle", "forward_to_model"),
        (ProcessRequest, "forward", "forward_to_model"),
        (PriceBatchRequest, "Data", "data"),
    ],
)
def test_field_that_was_likely_meant_is_suggested(
    model: type[BaseModel], wrote: str, meant: str
) -> None:
    assert suggest_field(model, {wrote: 1}, [wrote]) == meant


@pytest.mark.parametrize("wrote", ["colour", "price", "", "$", "é" * 100, "id" * 100_000, "\0"])
def test_nothing_is_suggested_when_no_field_is_like_the_name(wrote: str) -> None:
    assert suggest_field(House, {wrote: 1}, [wrote]) is None


def test_nothing_is_suggested_when_the_likely_field_is_given_too() -> None:
    assert suggest_field(House, {"overalQual": 5, "overallQual": 7}, ["overalQual"]) is None


def test_fields_of_an_object_in_a_list_are_suggested_there() -> None:
    value = {"data": [{"yearBuilt": 1990}, {"yearBuild": 1990}]}

    assert suggest_field(PriceBatchRequest, value, ["data", 1, "yearBuild"]) == "yearBuilt"


def test_nothing_is_suggested_when_there_are_no_fields() -> None:
    assert suggest_field(BaseModel, {"a": 1}, ["a"]) is None


def test_nothing_is_suggested_in_what_is_no_field() -> None:
    assert suggest_field(ProcessRequest, {"else": {"date": 1}}, ["else", "date"]) is None
