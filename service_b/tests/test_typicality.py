"""The reading of its file and the measuring itself; what it finds is in `training`."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest

from predictor.card import Feature
from predictor.errors import ModelRefused
from predictor.typicality import NOBODY, Arrays, Typicality, read_arrays, write_arrays
from training.typicality import encode, fit_typicality

FEATURES = (
    Feature(name="size", column="Size", kind="number", meaning="Any.", minimum=0, maximum=99),
    Feature(name="kind", column="Kind", kind="category", meaning="Any.", categories=("A", "B")),
)  # fmt: skip
# Small ones are A, large ones B.
ROWS = np.array([(place % 10, "AB"[place % 10 > 4]) for place in range(200)], dtype=object)


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    return fit_typicality(FEATURES, ROWS, None, 0, seed=0)[0]


def measure(arrays: Arrays, *rows: tuple[Any, ...]) -> tuple[list[float], list[set[str]]]:
    """Give the shares, and the names of the fields that are most unusual."""
    inputs = np.array(rows, dtype=object)
    typicality = Typicality(arrays, bound=0.01)
    shares, culprits = typicality.measure(encode(FEATURES, inputs), None)
    names = [
        set() if each == NOBODY else {FEATURES[c].name for c in arrays.pairs[:, int(each)]}
        for each in culprits
    ]
    return shares.tolist(), names


def test_file_holds_what_was_written(arrays: Arrays) -> None:
    for one, other in zip(arrays, read_arrays(write_arrays(arrays), 2), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("length", [0, 100, -30])
def test_file_is_refused_when_it_is_truncated(arrays: Arrays, length: int) -> None:
    with pytest.raises(ModelRefused, match="can't be read as arrays"):
        read_arrays(write_arrays(arrays)[:length], 2)


def test_file_is_refused_when_an_array_would_have_to_be_unpickled(arrays: Arrays) -> None:
    evil = arrays._replace(sizes=np.array([{"any": "object"}]))
    with pytest.raises(ModelRefused, match="allow_pickle=False"):
        read_arrays(write_arrays(evil), 2)


def test_tables_that_do_not_fit_each_other_are_refused(arrays: Arrays) -> None:
    with pytest.raises(ValueError, match="shape"):
        Typicality(arrays._replace(sizes=arrays.sizes + 1))


def test_file_is_refused_when_its_tables_differ_in_length(arrays: Arrays) -> None:
    with pytest.raises(ModelRefused, match="arrays of different combinations"):
        read_arrays(write_arrays(arrays._replace(unseen=arrays.unseen[1:])), 2)


def test_whatever_surprises_is_to_blame_when_the_file_does_not_say_what_is_new(
    arrays: Arrays,
) -> None:
    old = {name: array for name, array in arrays._asdict().items() if name != "unseen"}
    file = BytesIO()
    np.savez_compressed(file, **old)
    read = read_arrays(file.getvalue(), 2)
    assert measure(read, (2, "B"), (90, "B")) == measure(arrays, (2, "B"), (90, "B"))


def test_fields_that_contradict_each_other_are_unusual_together(arrays: Arrays) -> None:
    (usual, small, large), culprits = measure(arrays, (2, "A"), (2, "B"), (8, "A"))
    assert usual > 0.1 > small
    assert small == large < 0.01
    assert culprits == [set(), {"size", "kind"}, {"size", "kind"}]


def test_number_that_no_row_has_is_unusual_alone(arrays: Arrays) -> None:
    (share,), (culprit,) = measure(arrays, (90, "B"))
    assert share < 0.01
    assert culprit == {"size"}


def test_unknown_fields_are_not_unusual(arrays: Arrays) -> None:
    shares, culprits = measure(arrays, (np.nan, "A"), (2, None), (np.nan, None))
    assert min(shares) > 0.1
    assert culprits == [set()] * 3


def test_rows_are_measured_alike_alone_and_together(arrays: Arrays) -> None:
    rows: list[tuple[Any, ...]] = [(2, "A"), (np.nan, "B"), (2, "B"), (90, None)]
    together = measure(arrays, *rows)
    alone = [measure(arrays, each) for each in rows]
    assert together == tuple([each[part][0] for each in alone] for part in (0, 1))
