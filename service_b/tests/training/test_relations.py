import math

import numpy as np
import pytest

from predictor.card import AtMost, Feature, NoneIfZero, Relation
from training.relations import count_rows, is_confirmed

ROOMS = AtMost(fields=("bedrooms", "rooms"), says="", message="")
POOL = NoneIfZero(fields=("pool", "area"), says="", message="", message_if_zero="")
FEATURES = [
    *[
        Feature(name=name, column=name, kind="number", meaning="", minimum=0, maximum=9)
        for name in ("bedrooms", "rooms", "area")
    ],
    Feature(
        name="pool", column="pool", kind="category", meaning="", categories=("Ex", "NA"), none="NA"
    ),
]


def test_rows_count_that_have_all_the_fields_and_those_that_confirm_the_relation() -> None:
    rows = [
        (1.0, 2.0, 0.0, "NA"),
        (2.0, 1.0, 5.0, "Ex"),
        (3.0, math.nan, 5.0, "NA"),
        (2.0, 2.0, 0.0, math.nan),
        (2.0, 3.0, math.nan, "Ex"),
    ]
    counted = count_rows([ROOMS, POOL], FEATURES, np.array(rows, dtype=object))
    assert [(each.rows, each.confirmed) for each in counted] == [(4, 3), (3, 2)]
    assert [each.fields for each in counted] == [ROOMS.fields, POOL.fields]


@pytest.mark.parametrize(
    ("rows", "confirmed", "kept"),
    [
        (2930, 2930, True),
        (20640, 20637, True),
        (1000, 999, True),
        (1000, 998, False),
        (0, 0, False),
    ],
)
def test_relation_is_confirmed_by_all_rows_but_one_of_a_thousand(
    rows: int, confirmed: int, kept: bool
) -> None:
    counted: Relation = ROOMS.model_copy(update={"rows": rows, "confirmed": confirmed})
    assert is_confirmed(counted) == kept
