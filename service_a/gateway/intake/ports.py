"""What the intake needs of the world. `app.py` hands it what fits, and so do the tests."""

from collections.abc import Sequence
from typing import Protocol

from gateway.errors import GatewayError
from gateway.intake.entries import Answer, Claim, Entry, Forward, OutcomeKind, Span


class InputLog(Protocol):
    def write(self, entries: Sequence[Entry]) -> Sequence[int]:
        """Commit all entries, or none and raise `InputLogUnavailable`.

        Returns the numbers that the new inputs have in the log, in order.
        """


class Predictor(Protocol):
    def predict(
        self, forwards: Sequence[Forward], deadline: float
    ) -> Sequence[Answer | GatewayError]:
        """Return each forward's result before `deadline` of `time.monotonic()`. Many threads call.

        A result is an answer, `InputRejected`, `ModelUnknown` or `PredictorUnavailable`.
        """


class Breaker(Protocol):
    @property
    def state(self) -> str: ...

    def admit(self) -> bool:
        """Say whether a request may go through to Service B."""


class ReplayQueue(Protocol):
    """Each method raises `InputLogUnavailable` when the log can't be used."""

    def find_models(self) -> Sequence[str | None]:
        """Return the models that have inputs whose forward failed."""

    def count(self, model: str | None, span: Span, limit: int) -> int:
        """Return how many there are of a model, at most `limit`."""

    def claim(self, model: str | None, span: Span, limit: int) -> Sequence[Claim]:
        """Take up to `limit` of them, oldest first; without any, the span has none."""


class Counts(Protocol):
    def count_commit(self, entries: int, inputs: int, seconds: float) -> None: ...

    def count_call(self, inputs: int) -> None: ...

    def count_forwards(self, outcome: OutcomeKind, inputs: int) -> None: ...

    def count_warnings(
        self, model: str | None, version: str | None, fields: Sequence[str]
    ) -> None: ...
