"""Everything that can go wrong in the predictor, as facts."""

from collections.abc import Iterable
from typing import Any

# A name that a caller made up may be as long as a URL.
_MAX_NAME_CHARS = 200


class PredictorError(Exception):
    """Base of the predictor's own errors."""


class ManifestError(PredictorError):
    """models.yaml can't be used; `place` leads to the key that is wrong."""

    def __init__(self, message: str, *place: str | int) -> None:
        super().__init__(message)
        self.place = place


class SourceUnavailable(PredictorError):
    """A source can't say or give what it has; it may be able to later. For the log."""


class ModelNotFound(PredictorError):
    """The service hosts no model of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        if len(name) > _MAX_NAME_CHARS:
            name = f"{name[:_MAX_NAME_CHARS]}…"
        super().__init__(f"There is no model {name!r}; there is {', '.join(known)}")


class NoChallenger(PredictorError):
    """A model has no challenger."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The model {name!r} has no challenger")


class ModelUnavailable(PredictorError):
    """No model is loaded that could answer."""


class ModelRefused(PredictorError):
    """A version exists but failed a check and is not served. The message is for the log."""


class NoFastPath(PredictorError):
    """A model can only be evaluated by its pipeline; the message says why. For the log."""


class PredictionFailed(PredictorError):
    """A model failed at inputs that it should take. The error that it was raised from says why."""


class InputRejected(PredictorError):
    """A hook turns an input down; the message is for the caller."""


class InvalidInput(PredictorError):
    """The caller's input is wrong; `problems` lists the mistakes in FastAPI's shape."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__("invalid input")
        self.problems = problems


class WrongContentType(PredictorError):
    """The body is not declared as JSON."""


class ForeignPage(PredictorError):
    """A page of another site makes a call that it may not make."""


class UnsupportedEncoding(PredictorError):
    """The body is compressed, or otherwise encoded."""


class BodyTooLarge(PredictorError):
    """The body is over the limit of `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"body over {max_bytes} bytes")
        self.max_bytes = max_bytes


class BodyTimeout(PredictorError):
    """The body didn't arrive in time."""


class BodiesOverBudget(PredictorError):
    """The bodies under way leave no room for another."""


class FaultUnknown(PredictorError):
    """There is no fault of this kind."""

    def __init__(self, kind: str, kinds: list[str]) -> None:
        super().__init__(f"There is no fault '{kind}'. The kinds are {', '.join(kinds)}")
