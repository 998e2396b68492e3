"""What the intake needs of the world. `app.py` hands it what fits, and so do the tests."""

from collections.abc import Sequence
from typing import Protocol

from gateway.errors import GatewayError
from gateway.intake.entries import Answer, Claim, Entry, Forward, OutcomeKind


class InputLog(Protocol):
    """Where inputs are on disk before anything else happens to them."""

    def write(self, entries: Sequence[Entry]) -> Sequence[int]:
        """Commit the entries, all or none; they are on disk when this returns.

        Returns the number of each entry's input in the log, 0 for a heartbeat.

        Raises:
            InputLogUnavailable: nothing was written. Works again by itself when it can.
        """


class Predictor(Protocol):
    """Service B. Safe to use from many threads."""

    def predict(
        self, forwards: Sequence[Forward], deadline: float
    ) -> Sequence[Answer | GatewayError]:
        """Return each forward's result before `deadline` of `time.monotonic()`.

        A result is an answer; `InputRejected`, when Service B says that the data is wrong;
        `ModelUnknown`; or `PredictorUnavailable` for any other failure.
        """


class Breaker(Protocol):
    """The circuit to Service B, which is open while B is known to be down."""

    def admit(self) -> bool:
        """Say whether a request may go through."""


class ReplayQueue(Protocol):
    """The inputs in the log whose forward failed."""

    def claim(self, limit: int) -> Sequence[Claim]:
        """Take up to `limit` inputs, oldest first; nobody else gets them.

        Raises:
            InputLogUnavailable: nothing was taken.
        """


class Counts(Protocol):
    """What counts the intake's work. Safe to use from many threads."""

    def count_commit(self, entries: int, inputs: int, seconds: float) -> None: ...

    def count_call(self, inputs: int) -> None: ...

    def count_forwards(self, outcome: OutcomeKind, inputs: int = 1) -> None: ...
