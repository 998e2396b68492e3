import math
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from predictor.card import ModelCard
from predictor.errors import NoFastPath
from predictor.fast_path.encoding import Encoding, Matrix
from predictor.inference.input_schema import build_input_type

# The categories of `tiny`: neighborhood 0 to 3 and 4 for unknown, ms_sub_class 5 to 7 and 8,
# pool_qc 9 to 11 and 12.
WHOLE = [896, 5, 0, 5, 11, 1961, 80.5]


@pytest.fixture
def input_type(card: ModelCard) -> type[BaseModel]:
    return build_input_type(card)


@pytest.fixture
def encoding(card: ModelCard) -> Encoding:
    return Encoding(card.features)


def encode(encoding: Encoding, input_type: type[BaseModel], *inputs: dict[str, Any]) -> Matrix:
    return encoding.encode([input_type.model_validate(each) for each in inputs])


def test_categories_become_codes_and_numbers_stay(
    encoding: Encoding, input_type: type[BaseModel], house: dict[str, Any]
) -> None:
    rows = encode(encoding, input_type, house, house | {"neighborhood": "Veenker", "pool_qc": "Gd"})
    assert rows.tolist() == [WHOLE, [896, 5, 1, 5, 10, 1961, 80.5]]


def test_unknown_is_a_code_of_its_own_or_no_number(
    encoding: Encoding, input_type: type[BaseModel]
) -> None:
    required = {"first_flr_sf": 896, "overall_qual": 5, "neighborhood": "NAmes"}
    expected = [[896, 5, 0, 8, 12, math.nan, math.nan]]
    np.testing.assert_array_equal(encode(encoding, input_type, required), expected)


@pytest.mark.parametrize("left_out", [[], ["id"], ["id", "ms_sub_class"]])
def test_null_is_none_or_unknown_whether_all_fields_are_sent_or_not(
    encoding: Encoding, input_type: type[BaseModel], house: dict[str, Any], left_out: list[str]
) -> None:
    for name in left_out:
        del house[name]
    row = encode(encoding, input_type, house | {"pool_qc": None, "garage_yr_blt": None})[0]
    assert row[4] == 11
    assert math.isnan(row[5])


def test_codes_have_the_column_and_the_category_that_they_mean(encoding: Encoding) -> None:
    assert len(encoding.meanings) == len(encoding.columns) == 13
    assert encoding.meanings[:5] == [
        (2, "NAmes"),
        (2, "Veenker"),
        (2, "C (all)"),
        (2, "2fmCon"),
        (2, None),
    ]
    assert encoding.columns.tolist() == [column for column, _ in encoding.meanings]


def test_columns_of_categories_are_refused_where_numbers_are_required(encoding: Encoding) -> None:
    encoding.require_numbers([0, 1, 5, 6])
    with pytest.raises(NoFastPath, match="reckons with categories"):
        encoding.require_numbers([0, 2])
