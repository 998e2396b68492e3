"""Inputs as numbers: the matrix that a fast path works on."""

import math
import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from predictor.card import Category, Feature
from predictor.errors import NoFastPath

Matrix = npt.NDArray[np.float64]


class Encoding:
    """Turns inputs into rows: a number as it is, NaN if unknown; a category as its code.

    Every category of every column has a code of its own, and so has "unknown" in every column of
    categories. So one table, indexed by code, serves all columns. By code, `meanings` has the
    column and the category, None for unknown; `columns` has the column. By column, `first_codes`
    has the code of the first category, 0 for numbers, and `unknown` what stands for unknown.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.meanings: list[tuple[int, Category | None]] = []
        self._unknown: list[float] = []
        firsts: list[float] = []
        self._fields: dict[str, tuple[int, dict[Category | None, float] | None]] = {}
        for feature in features:
            if feature.kind == "identifier":
                self._fields[feature.name] = (0, {})  # no value of it gets into the row
                continue
            column = len(self._unknown)
            codes: dict[Category | None, float] | None = None
            unknown = math.nan
            if feature.categories is not None:
                first = len(self.meanings)
                codes = {each: float(first + i) for i, each in enumerate(feature.categories)}
                unknown = float(first + len(codes))
                codes[None] = unknown if feature.none is None else codes[feature.none]
                self.meanings += [(column, each) for each in (*feature.categories, None)]
            self._fields[feature.name] = (column, codes)
            firsts.append(0.0 if codes is None else unknown - len(feature.categories or ()))
            self._unknown.append(unknown)
        self.first_codes = np.array(firsts)
        self.unknown = np.array(self._unknown)
        self.columns = np.array([column for column, _ in self.meanings], dtype=np.intp)
        self._identifiers = {each.name for each in features if each.kind == "identifier"}
        self._in_order = [
            (name, codes)
            for name, (_, codes) in self._fields.items()
            if name not in self._identifiers
        ]
        self._pack = struct.Struct(f"{len(self._unknown)}d").pack

    def require_numbers(self, columns: Sequence[int]) -> None:
        """Raise `NoFastPath` if one of the columns holds categories."""
        if set(columns) & set(self.columns.tolist()):
            raise NoFastPath("a part reckons with categories")

    def encode(self, inputs: Sequence[BaseModel]) -> Matrix:
        """Give a row for each input, with a column for each feature but identifiers."""
        packed = b"".join([self._encode(values) for values in inputs])
        return np.frombuffer(packed).reshape(len(inputs), len(self._unknown))

    def _encode(self, values: BaseModel) -> bytes:
        known = values.__pydantic_fields_set__
        if len(known) - len(known & self._identifiers) < len(self._in_order):
            return self._encode_some(values)
        given = values.__dict__
        try:
            # With all fields there is less to do.
            return self._pack(
                *[
                    given[name] if codes is None else codes[given[name]]
                    for name, codes in self._in_order
                ]
            )
        except (KeyError, struct.error):  # null is unknown: it has no code, and is no number
            return self._encode_some(values)

    def _encode_some(self, values: BaseModel) -> bytes:
        given, fields = values.__dict__, self._fields
        row = self._unknown.copy()
        for name in values.__pydantic_fields_set__:
            column, codes = fields[name]
            value = given[name]
            if codes is None:
                if value is not None:
                    row[column] = value
            elif value in codes:
                row[column] = codes[value]
        return self._pack(*row)
