"""A model server of MLflow in the stub's place: it answers with what a real one, 3.17.2, sent."""

import json
from typing import Any

from tests.stub_server import Exchange, write_answer

MODEL_FAILED = {
    "error_code": "BAD_REQUEST",
    "message": "Encountered an unexpected error while evaluating the model. Verify that the "
    "serialized input Dataframe is compatible with the model for inference.",
    "sqlstate": "KAM00",
    "error_class": "INVALID_PARAMETER_VALUE",
    "stack_trace": 'Traceback (most recent call last):\n  File "/models/m.py", line 7, in predict\n'
    '    raise ValueError("no such house")\nValueError: no such house\n',
}
COLUMN_MISSING = {
    "error_code": "INVALID_PARAMETER_VALUE",
    "message": "Failed to predict data '   n\n0  1'. \nError: Failed to enforce schema of data "
    "'   n\n0  1' with schema '['x': double (required), 'n': long (optional)]'. "
    "Error: Model is missing inputs ['x'].",
    "sqlstate": "KAM01",
    "error_class": "SCHEMA_ENFORCEMENT_FAILED",
}
NULL_IN_WHOLE_NUMBERS = {
    "error_code": "BAD_REQUEST",
    "message": "Invalid input. Data is not compatible with model signature. Failed to convert "
    "column n to type 'int64'. Error: 'IntCastingNaNError(\"Cannot convert non-finite values (NA "
    "or inf) to integer. Replace or remove non-finite values or cast to an integer type that "
    "supports these values (e.g. 'Int64')\")'",
    "sqlstate": "KAM00",
    "error_class": "INVALID_PARAMETER_VALUE",
}

REQUIRED = {"OverallQual", "GrLivArea", "YearBuilt", "Neighborhood"}


class FakeMlflow:
    """Prices a house by its area, for $1.005 a square foot; the model fails at 666 of them.

    It sends no `X-Request-ID`, and keeps the connection.
    """

    def __init__(self) -> None:
        self.frames: list[list[dict[str, Any]]] = []  # each a list of rows

    def __call__(self, exchange: Exchange) -> None:
        if exchange.received.line.startswith("GET /ping "):
            exchange.wfile.write(write_answer(200, b"\n"))
            return
        assert exchange.received.line == "POST /invocations HTTP/1.1\r\n"
        frame = json.loads(exchange.received.body)["dataframe_split"]
        rows = [dict(zip(frame["columns"], row, strict=True)) for row in frame["data"]]
        self.frames.append(rows)
        exchange.wfile.write(self._answer(set(frame["columns"]), rows))

    def _answer(self, columns: set[str], rows: list[dict[str, Any]]) -> bytes:
        if not columns >= REQUIRED:
            return write_answer(400, COLUMN_MISSING)
        if any(row.get("MSSubClass", 20) is None for row in rows):
            return write_answer(400, NULL_IN_WHOLE_NUMBERS)
        if any(row["GrLivArea"] == 666 for row in rows):
            return write_answer(400, MODEL_FAILED)
        return write_answer(200, {"predictions": [row["GrLivArea"] * 1.005 for row in rows]})
