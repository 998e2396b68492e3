"""What is written to the input log."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.log_tables import OutcomeKind


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
