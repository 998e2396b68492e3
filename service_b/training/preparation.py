"""From the raw bytes to typed columns. The raw data itself is never changed."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.errors import TrainingError
from training.features import Description
from training.hidden_fields import Inputs


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
    as str (or int, where all categories are whole numbers), NaN where the raw field is empty.
    `target` is what the model learns to predict. `remarks` say what was changed.
    """

    frame: pd.DataFrame
    target: npt.NDArray[np.float64]
    remarks: tuple[str, ...]

    @property
    def inputs(self) -> Inputs:
        """The rows as the estimator takes them, shape (rows, inputs)."""
        return self.frame.to_numpy(dtype=object)


def prepare(
    raw: bytes,
    separator: str,
    descriptions: Sequence[Description],
    target: str,
    repairs: Sequence[Repair],
) -> Prepared:
    """Read `raw`; trim, repair, type and check the described columns.

    An empty field is unknown. `NA` is a category like any other: the house has none of it.

    Raises:
        TrainingError: a column is missing, a number isn't one or is out of its bounds, or a
            category isn't among the described ones.
    """
    table = _read(raw, separator)
    described = [each for each in descriptions if each["kind"] != "identifier"]
    wanted = [each["column"] for each in described] + [target]
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

    prices = _read_numbers(table[target])
    if not (prices > 0).all():
        raise TrainingError(f"column {target}: a price is missing or not positive")
    frame = pd.DataFrame({each["name"]: _read_column(table, **each) for each in described})
    return Prepared(frame, np.asarray(prices, dtype=np.float64), tuple(remarks))


def _read(raw: bytes, separator: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(io.BytesIO(raw), sep=separator, dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as error:
        # No columns at all, bytes that aren't UTF-8, or rows of uneven length.
        raise TrainingError(f"the data is not a table: {error}") from error
    table.columns = pd.Index([name.replace(" ", "").replace("/", "") for name in table.columns])
    return table.astype(object)


def _read_column(
    table: pd.DataFrame,
    column: str,
    kind: str,
    minimum: float = -np.inf,
    maximum: float = np.inf,
    categories: Sequence[str | int] = (),
    **_: object,
) -> "pd.Series[float]":
    if kind == "category":
        # A category that is a whole number may have lost or gained zeros in front: 020 is 20.
        by_text = {str(each): each for each in categories}
        values = table[column].map(lambda text: by_text.get(text.lstrip("0") or text, text))
        values = values.where(values != "", np.nan)
        unknown = sorted(set(values.dropna()) - set(categories))
        if unknown:
            raise TrainingError(
                f"column {column}: {', '.join(unknown)} is not among the described categories"
            )
        return values
    numbers = _read_numbers(table[column])
    outside = numbers[(numbers < minimum) | (numbers > maximum)]
    if len(outside):
        raise TrainingError(
            f"column {column}: {outside.iloc[0]:g} in row {outside.index[0] + 1} is not between "
            f"{minimum:g} and {maximum:g}"
        )
    if kind == "integer" and not (numbers.dropna() % 1 == 0).all():
        raise TrainingError(f"column {column}: not all numbers are whole")
    return numbers


def _read_numbers(texts: "pd.Series[str]") -> "pd.Series[float]":
    try:
        return texts.where(texts != "", np.nan).astype(float)
    except ValueError as error:
        raise TrainingError(f"column {texts.name}: {error}") from error
