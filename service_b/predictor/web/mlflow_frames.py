"""MLflow's scoring protocol: frames with the columns of the training data, and bare values."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from predictor.errors import InvalidInput
from predictor.inference.prediction import Prediction, PricePrediction
from predictor.inference.served_model import Predicted
from predictor.web.validation import cut_text

_FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
# MLflow's clients may send them beside the frame; no model here has use for them.
_BESIDE = {"params", "signature_name"}

Row = dict[str, Any]


def read_rows(body: Any, columns: Sequence[str], max_rows: int) -> list[Row]:
    """Give each row as a dict by column name.

    `columns` names the values of rows that come without names. The rows are counted before any is
    made: a row takes a hundred times the memory of the `{}` or `1` that it is in the body.

    Raises:
        InvalidInput: the body is in none of the four formats, or has more than `max_rows`.
    """
    if not isinstance(body, dict):
        raise _wrong("Input should be a JSON object")
    found = [key for key in body if key not in _BESIDE]
    if len(found) != 1 or found[0] not in _FORMATS:
        raise _wrong(f"Input should have exactly one of the fields {', '.join(_FORMATS)}")
    format_, frame = found[0], body[found[0]]
    if format_ == "dataframe_split":
        if not isinstance(frame, dict) or not isinstance(frame.get("data"), list):
            raise _wrong("Input should be an object with `columns` and `data`", format_)
        names = frame.get("columns", columns)
        if not _is_names(names):
            raise _wrong("Input should be an array of different strings", format_, "columns")
        _check_count(frame["data"], max_rows, format_, "data")
        return _name_all(frame["data"], names, format_, "data")
    if format_ == "inputs" and isinstance(frame, dict):
        for name, values in frame.items():
            _check_count(values, max_rows, format_, name)
        return _turn(frame)
    if not isinstance(frame, list):
        raise _wrong("Input should be an array of rows", format_)
    _check_count(frame, max_rows, format_)
    return _name_all(frame, columns, format_)


def to_fields(row: Row, columns: Mapping[str, str], nullable: Collection[str]) -> Row:
    """Rename columns to fields, as the model's input type takes them.

    Columns that the model doesn't have are left out, as MLflow's own server does, and so is a
    null where the field takes none: it is unknown. Whole numbers become integers again, because
    a frame has one type for a column, and a hole in it makes all of it floats.
    """
    fields = {}
    for name, value in row.items():
        if name not in columns:
            continue
        field = columns[name]
        clean = _clean(value)
        if clean is not None or field in nullable:
            fields[field] = clean
    return fields


def name_columns(error: InvalidInput, columns: Mapping[str, str]) -> InvalidInput:
    """Name columns where the problems of a row name fields, which the caller has not sent."""
    names = {field: column for column, field in columns.items()}
    problems = []
    for problem in error.problems:
        body, index, *rest = problem["loc"]
        if rest:
            rest[0] = names.get(rest[0], rest[0])
        problems.append({**problem, "loc": [body, index, *rest]})
    return InvalidInput(problems)


def to_value(prediction: Predicted) -> Any:
    """Give the bare value: a price as the estimator gave it, a class's output without its version.

    An output with one field is the value of that field.
    """
    if isinstance(prediction, PricePrediction | Prediction):
        return prediction.price
    fields = prediction.model_dump(mode="json", exclude={"model", "model_version"})
    return next(iter(fields.values())) if len(fields) == 1 else fields


def _clean(value: Any) -> Any:
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if value.is_integer():
            return int(value)
    return value


def _check_count(rows: Any, max_rows: int, *place: str) -> None:
    if isinstance(rows, list) and len(rows) > max_rows:
        raise _wrong(f"Input has {len(rows)} rows, at most {max_rows} are allowed", *place)


def _name_all(rows: list[Any], names: Sequence[str], *place: str) -> list[Row]:
    named = []
    for index, row in enumerate(rows):
        if isinstance(row, dict):
            named.append(row)
        elif isinstance(row, list) and len(row) == len(names):
            named.append(dict(zip(names, row, strict=True)))
        else:
            raise _wrong(
                f"Input should be an object, or an array of {len(names)} values", *place, index
            )
    return named


def _turn(columns: dict[str, Any]) -> list[Row]:
    """Make rows from columns; a single row may come as plain values."""
    if not any(isinstance(values, list) for values in columns.values()):
        return [columns]
    lengths = {len(values) if isinstance(values, list) else -1 for values in columns.values()}
    if len(lengths) != 1:
        raise _wrong("Every column should be an array of the same length", "inputs")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _is_names(names: Any) -> bool:
    return (
        isinstance(names, list | tuple)
        and all(isinstance(name, str) for name in names)
        and len(set(names)) == len(names)
    )


def _wrong(message: str, *place: str | int) -> InvalidInput:
    shown = [cut_text(each) if isinstance(each, str) else each for each in place]
    return InvalidInput([{"type": "frame", "loc": ["body", *shown], "msg": message}])
