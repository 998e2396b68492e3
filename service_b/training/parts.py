"""Which rows are for what. Those of the log come after all rows of the data."""

from dataclasses import dataclass, replace

import numpy as np

from training.evaluation import Data, Rows, split_rows
from training.labelled import Labelled


@dataclass(frozen=True)
class Parts:
    """Rows to train on until the model is judged, rows to judge by, rows for the version."""

    train: Rows
    hold_out: Rows
    version: Rows


def part_rows(rows: int, labelled: Labelled | None, *, keep_hold_out: bool) -> Parts:
    """Part the `rows` of the data, and those of the log.

    Without the log, a fifth of the data is held out until the model is judged. With it, its newest
    rows are, and the version doesn't see them either: so it can be compared by them with others.
    With `keep_hold_out` the version never sees the fifth of the data either.
    """
    known, unseen = split_rows(rows)
    everything = np.arange(rows)
    if labelled is None:
        return Parts(known, unseen, known if keep_hold_out else everything)
    usable = np.setdiff1d(known if keep_hold_out else everything, labelled.replaced)
    is_new = np.array([at >= labelled.held_out_from for at in labelled.received_at])
    train = np.concatenate([usable, rows + np.flatnonzero(~is_new)])
    return Parts(train, rows + np.flatnonzero(is_new), train)


def join_rows(data: Data, labelled: Labelled | None, price_level: float) -> Data:
    """Give the rows of the data, at the prices of today, and then those of the log."""
    if labelled is None:
        return data
    return replace(
        data,
        inputs=np.concatenate([data.inputs, labelled.inputs]),
        prices=np.concatenate([data.prices * price_level, labelled.prices]),
    )
