"""The words of the intake: what is logged of an input, what is forwarded, what comes back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from gateway.telemetry.passage import Passage


class OutcomeKind(StrEnum):
    """What became of an input."""

    LOGGED = "logged"  # kept, and not to be forwarded
    PENDING = "pending"  # to be forwarded, answer not known yet
    PREDICTED = "predicted"
    REJECTED = "rejected"  # Service B says that the input is wrong
    UNAVAILABLE = "unavailable"  # Service B gave no usable answer


FORWARD_OUTCOMES = (OutcomeKind.PREDICTED, OutcomeKind.REJECTED, OutcomeKind.UNAVAILABLE)
"""How a forward ends."""


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
    """The result of forwarding an input, which has this number and request id in the log.

    A number alone may be another input's by now, if the log's file was replaced.
    """

    input_number: int
    request_id: str
    outcome: OutcomeKind
    duration_ms: float
    price: float | None = None
    model_version: str | None = None
    outcome_at: datetime = field(default_factory=_now)
    interval_lower: float | None = None
    interval_upper: float | None = None
    prediction: str | None = None
    warnings: str | None = None


@dataclass(slots=True)
class Heartbeat:
    """Nothing to keep: shows that the log can be written."""


Entry = NewInput | Outcome | Heartbeat
"""What is written to the input log."""


class Forward(NamedTuple):
    """An input, given as JSON, for one of B's models; None is its default."""

    data: bytes
    request_id: str
    model: str | None = None
    traceparent: str = ""
    stages: Passage | None = None


class Warnings(NamedTuple):
    """What Service B warns of in an input: as JSON for the log, and what is counted.

    `fields` has for each warning the names of the fields that it is about, joined by commas.
    """

    content: str | None
    model: str | None
    fields: Sequence[str]


class Answer(NamedTuple):
    """What Service B answers: all of it as JSON, to be passed on, and what the log keeps.

    A prediction that isn't a price is kept as JSON.
    """

    body: bytes
    price: float | None
    model_version: str | None
    interval_lower: float | None = None
    interval_upper: float | None = None
    prediction: str | None = None
    warnings: Warnings | None = None


@dataclass(frozen=True)
class Claim:
    """An input in the log that nobody else forwards until its outcome is logged."""

    number: int
    request_id: str
    received_at: datetime
    data: str
    model: str | None


@dataclass
class Span:
    """A part of the log in the order of time: after one input, up to and including another."""

    after: Claim | None = None
    until: Claim | None = None
