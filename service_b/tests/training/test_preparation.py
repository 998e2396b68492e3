import math
from typing import Any

import numpy as np
import pytest

from training.errors import TrainingError
from training.preparation import Prepared, Repair, prepare

DESCRIPTIONS: list[dict[str, Any]] = [
    {"name": "id", "column": "Id", "kind": "identifier"},
    {"name": "ms_sub_class", "column": "MSSubClass", "kind": "category", "categories": [20, 60]},
    {"name": "pool_qc", "column": "PoolQC", "kind": "category", "categories": ["Ex", "NA"]},
    {"name": "sale_type", "column": "SaleType", "kind": "category", "categories": ["WD", "New"]},
    {"name": "year_remod_add", "column": "YearRemodAdd", "kind": "integer", "maximum": 2030},
    {"name": "lot_frontage", "column": "LotFrontage", "kind": "number", "minimum": 10},
]
RAW = b"""\
Order	MS SubClass	Pool QC	Year Remod/Add	Lot Frontage	Sale Type	SalePrice
1	020	NA	1960	141	WD 	215000
2	060		2207	80.5	New	105000
3	020	Ex	1998		WD 	172000
"""
REPAIR = Repair(column="YearRemodAdd", wrong="2207", right="2007", reason="a slip")


def prepare_rows(raw: bytes = RAW) -> Prepared:
    return prepare(raw, "\t", DESCRIPTIONS, "SalePrice", [REPAIR])


def test_columns_are_the_inputs_in_the_described_order() -> None:
    prepared = prepare_rows()
    assert list(prepared.frame.columns) == [each["name"] for each in DESCRIPTIONS[1:]]
    assert prepared.target.tolist() == [215_000, 105_000, 172_000]
    assert prepared.inputs.shape == (3, 5)


def test_whitespace_is_trimmed_and_reported() -> None:
    prepared = prepare_rows()
    assert list(prepared.frame["sale_type"]) == ["WD", "New", "WD"]
    assert "trimmed 2 fields" in prepared.remarks


def test_na_is_a_category_and_an_empty_field_is_unknown() -> None:
    prepared = prepare_rows()
    none, unknown, excellent = prepared.frame["pool_qc"]
    assert (none, excellent) == ("NA", "Ex")
    assert math.isnan(unknown)
    assert math.isnan(prepared.frame["lot_frontage"][2])
    assert "2 empty fields stay unknown" in prepared.remarks


def test_known_slip_is_repaired_and_reported() -> None:
    prepared = prepare_rows()
    assert list(prepared.frame["year_remod_add"]) == [1960, 2007, 1998]
    assert "YearRemodAdd: 2207 to 2007 in 1 row: a slip" in prepared.remarks


def test_codes_are_whole_numbers_when_all_of_them_are() -> None:
    assert [type(code) for code in prepare_rows().inputs[:, 0]] == [int, int, int]
    assert list(prepare_rows().inputs[:, 0]) == [20, 60, 20]


def test_numbers_reach_the_estimator_as_floats_and_unknown_as_nan() -> None:
    lot_frontage = prepare_rows().inputs[:, 4]
    assert all(isinstance(value, float) for value in lot_frontage)
    np.testing.assert_array_equal(lot_frontage.astype(float), [141, 80.5, np.nan])


def test_missing_column_is_named() -> None:
    with pytest.raises(TrainingError, match="no column PoolQC"):
        prepare_rows(RAW.replace(b"Pool QC", b"Pool"))


def test_data_without_rows_is_refused() -> None:
    with pytest.raises(TrainingError, match="no rows"):
        prepare_rows(RAW.splitlines(keepends=True)[0])


def test_text_where_a_number_belongs_is_refused_with_its_column() -> None:
    with pytest.raises(TrainingError, match=r"LotFrontage.*wide"):
        prepare_rows(RAW.replace(b"141", b"wide"))


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (b"1998", b"2031", "YearRemodAdd: 2031 in row 3 is not between -inf and 2030"),
        (b"1998", b"1998.5", "YearRemodAdd: not all numbers are whole"),
        (b"141", b"NA", "LotFrontage: could not convert string to float: 'NA'"),
        (b"New", b"NA", "SaleType: NA is not among the described categories"),
        (b"215000", b"0", "SalePrice: a price is missing or not positive"),
        (b"215000", b"", "SalePrice: a price is missing or not positive"),
        (b"172000", b"172000\t7\t8", "the data is not a table"),
        (b"New", b"\xff", "the data is not a table"),
    ],
)
def test_value_against_the_dictionary_is_refused(right: bytes, wrong: bytes, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        prepare_rows(RAW.replace(right, wrong))


def test_empty_file_is_refused() -> None:
    with pytest.raises(TrainingError, match="the data is not a table"):
        prepare_rows(b"")
