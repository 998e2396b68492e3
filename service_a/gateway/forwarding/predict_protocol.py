"""Service B's own protocol: `/predict` for one input, `/predict/batch` for several."""

from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.forwarding.answers import read_answer, read_answers
from gateway.intake.entries import Answer, Forward


class PredictProtocol:
    """Writes a call for inputs of one model, and reads its answer."""

    def write(self, forwards: Sequence[Forward]) -> tuple[str, bytes]:
        """Return the path and the body."""
        if len(forwards) == 1:
            path, content = "/predict", b'{"input":%b}' % forwards[0].data
        else:
            data = b",".join([forward.data for forward in forwards])
            path, content = "/predict/batch", b'{"inputs":[%b]}' % data
        model = forwards[0].model
        return path if model is None else f"/models/{model}{path}", content

    def read(
        self, status: int, body: bytes, forwards: Sequence[Forward]
    ) -> list[Answer | GatewayError] | None:
        """Return each forward's result, or None if they are too much for one call.

        Raises:
            BatchFailed: B failed at several inputs, or doesn't take them.
            PredictorUnavailable: it is none of the answers that B may give.
        """
        if len(forwards) == 1:
            return [read_answer(status, body, forwards[0].model)]
        return read_answers(status, body, len(forwards))
