from datetime import timedelta

import numpy as np
import pytest

from predictor.card import Feature
from tests.training.exported_inputs import STARTED_AT
from training.evaluation import Data
from training.labelled import Labelled
from training.parts import join_rows, part_rows

LABELLED = Labelled(
    inputs=np.array([[float(n)] for n in range(10)], dtype=object),
    prices=np.full(10, 300.0),
    received_at=[STARTED_AT + timedelta(hours=n) for n in range(10)],
    repeated=0,
    replaced=np.array([3, 4]),
)


def test_version_sees_all_rows_of_the_data_and_its_judgement_four_fifths() -> None:
    parts = part_rows(20, None, keep_hold_out=False)
    assert (len(parts.train), len(parts.hold_out)) == (16, 4)
    assert sorted([*parts.train, *parts.hold_out]) == parts.version.tolist() == [*range(20)]


def test_version_is_the_one_that_was_judged_when_the_hold_out_is_kept() -> None:
    parts = part_rows(20, None, keep_hold_out=True)
    assert parts.version.tolist() == parts.train.tolist()


@pytest.mark.parametrize("keep_hold_out", [False, True])
def test_newest_rows_of_the_log_are_judged_by_and_never_trained_on(keep_hold_out: bool) -> None:
    parts = part_rows(20, LABELLED, keep_hold_out=keep_hold_out)
    assert parts.hold_out.tolist() == [28, 29]
    assert parts.version.tolist() == parts.train.tolist()
    assert [row for row in parts.train if row >= 20] == [*range(20, 28)]
    kept = part_rows(20, None, keep_hold_out=True).hold_out.tolist() if keep_hold_out else []
    assert set(range(20)) - set(parts.train.tolist()) == {3, 4, *kept}


def test_rows_of_the_data_are_brought_to_the_prices_of_today() -> None:
    area = Feature(name="area", column="A", kind="number", meaning="", minimum=0, maximum=9)
    data = Data((area,), np.array([[7.0], [8.0]], dtype=object), np.array([100.0, 200.0]))
    joined = join_rows(data, LABELLED, 1.5)
    assert joined.prices.tolist() == [150, 300, *[300] * 10]
    assert joined.inputs[:3].tolist() == [[7.0], [8.0], [0.0]]
    assert join_rows(data, None, 1.0) is data
