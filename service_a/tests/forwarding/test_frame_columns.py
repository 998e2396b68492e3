from typing import Any

import pytest
from pydantic import ValidationError

from gateway.forwarding.frame_columns import FrameColumns
from gateway.web.house import House
from gateway.web.schemas import EXAMPLE_HOUSE, HOUSE
from generate_columns import SOURCE, TARGET, describe_columns, read_source

COLUMNS = FrameColumns.model_validate_json(TARGET.read_bytes())
NUMBERS = [each.column for each in COLUMNS.features if each.kind in ("number", "integer")]


def make_row(**fields: object) -> dict[str, Any]:
    return COLUMNS.make_row(COLUMNS.make_input_type().model_validate(fields))


@pytest.mark.skipif(not SOURCE.exists(), reason="Service B's model is not beside this folder")
def test_columns_are_those_of_the_model_that_ships() -> None:
    card = read_source()

    assert describe_columns(card) == TARGET.read_text(), "run: python generate_columns.py"
    assert FrameColumns.model_validate(card) == COLUMNS, "a card is such a file itself"


def test_row_has_a_value_for_each_field_under_its_column() -> None:
    row = make_row(**EXAMPLE_HOUSE)

    assert row["OverallQual"] == 7
    assert row["1stFlrSF"] is None
    assert (row["Neighborhood"], row["HouseStyle"]) == ("CollgCr", "2Story")


def test_unknown_number_or_text_is_null_and_its_column_is_there() -> None:
    row = make_row(**EXAMPLE_HOUSE)

    assert row.keys() >= set(NUMBERS)
    assert (row["LotFrontage"], row["Electrical"]) == (None, None)


def test_column_is_left_out_when_null_would_not_mean_unknown() -> None:
    row = make_row(**EXAMPLE_HOUSE)

    assert "Alley" not in row  # MLflow's model takes null for "no alley"
    assert "MSSubClass" not in row  # a column of whole numbers has no null


@pytest.mark.parametrize(
    ("fields", "column", "value"),
    [
        ({"alley": None}, "Alley", "NA"),
        ({"alley": "Pave"}, "Alley", "Pave"),
        ({"alley": " pave"}, "Alley", "Pave"),
        ({"mas_vnr_type": None}, "MasVnrType", "None"),
        ({"lot_frontage": None}, "LotFrontage", None),
        ({"ms_sub_class": 20}, "MSSubClass", 20),
    ],
)
def test_null_becomes_the_category_that_it_stands_for(
    fields: dict[str, object], column: str, value: object
) -> None:
    assert make_row(**EXAMPLE_HOUSE, **fields)[column] == value


def test_identifier_is_taken_and_reaches_no_column() -> None:
    assert make_row(**HOUSE) == make_row(**EXAMPLE_HOUSE)


def test_fields_have_their_names_in_snake_case_as_well() -> None:
    snake = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}
    camel = {"overallQual": 7, "grLivArea": 1710, "yearBuilt": 2003, "neighborhood": "CollgCr"}

    assert make_row(**snake) == make_row(**camel)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("street", "Dummy"),
        ("street", None),
        ("overallQual", 11),
        ("overallQual", 7.5),
        ("overallQual", "7"),
        ("overallQual", True),
        ("overallQual", None),
        ("lotArea", 10),
        ("grLivArea", 1e999),
        ("msSubClass", 21),
        ("id", 1.5),
        ("garage", 2),
    ],
)
def test_what_the_public_contract_refuses_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        House.model_validate({**HOUSE, field: value})
    with pytest.raises(ValidationError) as caught:
        make_row(**{**HOUSE, field: value})
    assert [problem["loc"] for problem in caught.value.errors()] == [(field,)]


def test_any_text_is_taken_when_no_categories_are_listed() -> None:
    features = [{"name": "street", "column": "Street", "kind": "category"}]
    columns = FrameColumns.model_validate({"name": "tiny", "features": features})
    street = columns.make_input_type()

    assert columns.make_row(street.model_validate({"street": "Elm"})) == {"Street": "Elm"}
    with pytest.raises(ValidationError):
        street.model_validate({"street": 5})


@pytest.mark.parametrize("key", ["name", "column"])
def test_two_features_with_the_same_name_or_column_are_refused(key: str) -> None:
    a = {"name": "a", "column": "A", "kind": "number"}
    b = {"name": "b", "column": "B", "kind": "number"}

    with pytest.raises(ValidationError, match=f"two features have the same {key}"):
        FrameColumns.model_validate({"name": "tiny", "features": [a, {**b, key: a[key]}]})
