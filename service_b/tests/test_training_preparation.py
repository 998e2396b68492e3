import math

import numpy as np
import pytest

from training.errors import TrainingError
from training.preparation import Prepared, Repair, prepare

DESCRIPTIONS = [
    {"name": "id", "column": "Id", "kind": "identifier"},
    {"name": "ms_sub_class", "column": "MSSubClass", "kind": "category"},
    {"name": "pool_qc", "column": "PoolQC", "kind": "category"},
    {"name": "sale_type", "column": "SaleType", "kind": "category"},
    {"name": "year_remod_add", "column": "YearRemodAdd", "kind": "integer"},
    {"name": "lot_frontage", "column": "LotFrontage", "kind": "number"},
]
RAW = b"""\
Order	MS SubClass	Pool QC	Year Remod/Add	Lot Frontage	Sale Type	SalePrice
1	020	NA	1960	141	WD 	215000
2	060		2207	80.5	New	105000
3	020	Ex	1998		WD 	172000
"""
REPAIR = Repair(column="YearRemodAdd", wrong="2207", right="2007", reason="a slip")


def prepare_rows(raw: bytes = RAW) -> Prepared:
    return prepare(raw, DESCRIPTIONS, "SalePrice", [REPAIR])


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
