"""MLflow's scoring protocol: rows of one frame in, bare predictions out."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from gateway.errors import BatchFailed, GatewayError, InputRejected, PredictorUnavailable
from gateway.forwarding.answers import MAX_ANSWER_BYTES, is_too_large
from gateway.intake.entries import Answer, Forward

PING = "/ping"

# How MLflow says that a frame doesn't fit the model, which is not the caller's mistake.
_MISFITS = ("enforce schema", "model signature")
_MAX_REASON_CHARS = 200
_REFUSED = {"type": "model_failed", "loc": [], "msg": "The model can't predict this input"}


class _Predictions(BaseModel):
    predictions: list[Any]


class _Refusal(BaseModel):
    error_code: str
    message: str


_Shape = TypeVar("_Shape", _Predictions, _Refusal)


class MlflowProtocol:
    """Writes a call for rows that all have the same columns, and reads its answer.

    The data of a forward is a row: an array with a value for each column.
    """

    def __init__(self, model: str, columns: Sequence[str]) -> None:
        self._model = model
        self._columns = to_json(columns)

    def write(self, forwards: Sequence[Forward]) -> tuple[str, bytes]:
        """Return the path and the body."""
        rows = b",".join([forward.data for forward in forwards])
        frame = b'{"dataframe_split":{"columns":%b,"data":[%b]}}' % (self._columns, rows)
        return "/invocations", frame

    def read(
        self, status: int, body: bytes, forwards: Sequence[Forward]
    ) -> list[Answer | GatewayError] | None:
        """Return each forward's result, or None if they are too much for one call.

        The model fails at a frame as a whole, and doesn't say at which row.

        Raises:
            BatchFailed: it failed, perhaps at one of the rows only.
            PredictorUnavailable: it is none of the answers that MLflow may give.
        """
        if len(forwards) > 1 and status == 413:
            return None
        if len(forwards) > 1 and status in (400, 500):
            raise BatchFailed(f"status {status}")
        if status == 400:
            return [_read_refusal(body)]
        if status != 200:
            raise PredictorUnavailable(f"status {status}")
        predictions = _parse(_Predictions, body).predictions
        if len(predictions) != len(forwards):
            raise PredictorUnavailable(f"{len(predictions)} results for {len(forwards)} inputs")
        return [self._read_price(prediction) for prediction in predictions]

    def _read_price(self, prediction: Any) -> Answer | GatewayError:
        if type(prediction) not in (int, float) or not math.isfinite(prediction):
            return PredictorUnavailable("a prediction is no finite number")
        price = round(float(prediction), 2)  # as Service B does
        content = {"prediction": {"price": price, "model": self._model}}
        return Answer(to_json(content), price, None)


def _read_refusal(body: bytes) -> InputRejected:
    message = _parse(_Refusal, body).message
    if any(each in message for each in _MISFITS):
        # The frame, which may be long, stands before the last reason.
        reason = message.rpartition("Error: ")[2][:_MAX_REASON_CHARS]
        raise PredictorUnavailable(f"the frame doesn't fit the model: {reason}")
    return InputRejected([_REFUSED])


def _parse(shape: type[_Shape], body: bytes) -> _Shape:
    """Parse an answer. MLflow writes NaN, which JSON doesn't have; pydantic reads it."""
    if is_too_large(body, MAX_ANSWER_BYTES):
        raise PredictorUnavailable("the answer is too large")
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise PredictorUnavailable(f"wrong shape: {place}: {problem['msg']}") from error
