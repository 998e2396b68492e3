"""Predictions by a server that speaks MLflow's protocol: inputs become rows of frames."""

from collections.abc import Callable, Sequence

import jiter
from pydantic_core import to_json

from gateway.errors import GatewayError, InputRejected, InvalidInput, ModelUnknown
from gateway.forwarding.client import PredictionProtocol, PredictorClient
from gateway.forwarding.frame_columns import Check, FrameColumns
from gateway.forwarding.mlflow_protocol import MlflowProtocol
from gateway.intake.entries import Answer, Forward


class MlflowPredictor:
    """Asks a model server for predictions. Blocks; safe to use from many threads.

    The server checks hardly anything: it would price a quality of 99, and leave out a field that it
    doesn't have. So each input is checked here. A frame has the same columns in all its rows;
    inputs that need others go in another frame.
    """

    def __init__(
        self,
        columns: FrameColumns,
        check: Check,
        make_client: Callable[[PredictionProtocol], PredictorClient],
    ) -> None:
        self._columns = columns
        self._check = check
        self._make_client = make_client
        self._input_type = columns.make_input_type()

    def predict(self, forwards: Sequence[Forward], deadline: float) -> list[Answer | GatewayError]:
        """Return each forward's result before `deadline`, of `time.monotonic()`."""
        results: dict[int, Answer | GatewayError] = {}
        frames: dict[tuple[str, ...], dict[int, Forward]] = {}
        for place, forward in enumerate(forwards):
            try:
                columns, row = self._write_row(forward)
            except (InputRejected, ModelUnknown) as error:
                results[place] = error
            else:
                frames.setdefault(columns, {})[place] = forward._replace(data=row)
        for columns, rows in frames.items():
            client = self._make_client(MlflowProtocol(self._columns.name, columns))
            answers = client.predict(list(rows.values()), deadline)
            results.update(zip(rows, answers, strict=True))
        return [results[place] for place in range(len(forwards))]

    def _write_row(self, forward: Forward) -> tuple[tuple[str, ...], bytes]:
        """Return the columns of an input's row, and the row itself."""
        if forward.model not in (None, self._columns.name):
            known = self._columns.name
            raise ModelUnknown(f"There is no model {forward.model!r}; there is {known}")
        try:
            checked = self._check(self._input_type, jiter.from_json(forward.data), [])
        except InvalidInput as error:
            raise InputRejected(error.problems) from None
        row = self._columns.make_row(checked)
        return tuple(row), to_json(list(row.values()))
