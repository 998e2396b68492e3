"""What the intake needs of the world. `app.py` hands it what fits, and so do the tests."""

from collections.abc import Sequence
from typing import Protocol

from gateway.errors import GatewayError
from gateway.intake.entries import Answer, Claim, Entry, Forward, OutcomeKind


class InputLog(Protocol):
    def write(self, entries: Sequence[Entry]) -> Sequence[int]:
        """Commit all entries, or none and raise `InputLogUnavailable`.

        Returns the number of each entry's input in the log, 0 for a heartbeat.
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
    def claim(self, limit: int) -> Sequence[Claim]:
        """Take up to `limit` inputs whose forward failed, or raise `InputLogUnavailable`."""


class Counts(Protocol):
    def count_commit(self, entries: int, inputs: int, seconds: float) -> None: ...

    def count_call(self, inputs: int) -> None: ...

    def count_forwards(self, outcome: OutcomeKind, inputs: int = 1) -> None: ...
