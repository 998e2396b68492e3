"""What is written to the input log."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class OutcomeKind(StrEnum):
    """What became of an input."""

    LOGGED = "logged"  # kept, and not to be forwarded
    PENDING = "pending"  # to be forwarded, answer not known yet
    PREDICTED = "predicted"
    REJECTED = "rejected"  # Service B says that the input is wrong
    UNAVAILABLE = "unavailable"  # Service B gave no usable answer


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class NewInput:
    """An input, given as JSON text, and the model it is for, if that isn't B's default."""

    request_id: str
    data: str
    outcome: OutcomeKind
    model: str | None = None
    received_at: datetime = field(default_factory=_now)


@dataclass(slots=True)
class Outcome:
    """The result of forwarding an input."""

    input_number: int
    outcome: OutcomeKind
    duration_ms: float
    price: float | None = None
    model_version: str | None = None
    outcome_at: datetime = field(default_factory=_now)


@dataclass(slots=True)
class Heartbeat:
    """Nothing to keep: shows that the log can be written."""


Entry = NewInput | Outcome | Heartbeat
