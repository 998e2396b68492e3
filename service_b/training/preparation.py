"""From the raw bytes to typed columns. The raw data itself is never changed."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.errors import TrainingError
from training.features import Description


@dataclass(frozen=True)
class Repair:
    """A value of the raw data that can't be true, and what it must have been."""

    column: str
    wrong: str
    right: str
    reason: str


@dataclass(frozen=True)
class Prepared:
    """Typed rows in file order.

    `frame` has a column per input of the model, by feature name: numbers as float, categories
    as str (or int, where all codes are whole numbers), NaN where the raw field is empty.
    `target` is what the model learns to predict. `remarks` say what was changed.
    """

    frame: pd.DataFrame
    target: npt.NDArray[np.float64]
    remarks: tuple[str, ...]

    @property
    def inputs(self) -> npt.NDArray[np.object_]:
        """The rows as the estimator takes them, shape (rows, inputs)."""
        return self.frame.to_numpy(dtype=object)


def prepare(
    raw: bytes, descriptions: Sequence[Description], target: str, repairs: Sequence[Repair]
) -> Prepared:
    """Read tab-separated `raw`; trim, repair and type the described columns.

    An empty field is unknown. `NA` is a code like any other: the house has none of it.

    Raises:
        TrainingError: a column is missing, or a number isn't one.
    """
    table = pd.read_csv(io.BytesIO(raw), sep="\t", dtype=str, keep_default_na=False).astype(object)
    table.columns = pd.Index([name.replace(" ", "").replace("/", "") for name in table.columns])
    wanted = [each["column"] for each in descriptions if each["kind"] != "identifier"] + [target]
    missing = [column for column in wanted if column not in table.columns]
    if missing:
        raise TrainingError(f"the data has no column {', '.join(missing)}")
    if table.empty:
        raise TrainingError("the data has no rows")

    untrimmed = table[wanted]
    table = untrimmed.apply(lambda column: column.str.strip())
    remarks = [f"trimmed {int((table != untrimmed).sum().sum())} fields"]
    for repair in repairs:
        wrong = table[repair.column] == repair.wrong
        table.loc[wrong, repair.column] = repair.right
        remarks.append(
            f"{repair.column}: {repair.wrong} to {repair.right} in {int(wrong.sum())} row: "
            f"{repair.reason}"
        )
    remarks.append(f"{int((table == '').sum().sum())} empty fields stay unknown")

    frame = pd.DataFrame(
        {
            each["name"]: _type_column(table[each["column"]], each["kind"])
            for each in descriptions
            if each["kind"] != "identifier"
        }
    )
    return Prepared(
        frame=frame,
        target=np.asarray(_type_column(table[target], "number"), dtype=np.float64),
        remarks=tuple(remarks),
    )


def _type_column(values: "pd.Series[str]", kind: str) -> "pd.Series[float]":
    known = values.where(values != "", np.nan)
    if kind != "category":
        try:
            return known.astype(float)
        except ValueError as error:
            raise TrainingError(f"column {values.name}: {error}") from error
    if values.str.fullmatch("[0-9]+").all():
        return values.astype(int).astype(object)
    return known
