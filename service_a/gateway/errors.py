"""Everything that can go wrong in the gateway, as facts."""

from typing import Any


class GatewayError(Exception):
    """Base of the gateway's own errors."""


class InputLogUnavailable(GatewayError):
    """The input log can't be used. The message is for the log lines."""


class InputNotFound(GatewayError):
    """The log has no input of this request."""


class PredictorUnavailable(GatewayError):
    """Service B gave no usable answer in time. The message, for the log lines, says why."""


class PredictorTimeout(PredictorUnavailable):
    """Service B has used up the time it was given."""


class InputFailed(PredictorUnavailable):
    """Service B failed at one input. That may be the cause, or B itself."""


class BatchFailed(PredictorUnavailable):
    """Service B failed at several inputs. One of them may be the cause, or B itself."""


class BatchUnsupported(BatchFailed):
    """Service B doesn't take several inputs at once, or has no model of this name."""


class TooManyWatchers(GatewayError):
    """The gateway's events have as many watchers as they may."""


class TooManyExports(GatewayError):
    """As many exports are under way as may be."""


class TooBusy(GatewayError):
    """More is waiting than there is room for."""


class InvalidInput(GatewayError):
    """The caller's input is wrong; `problems` lists the mistakes in FastAPI's shape."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__("invalid input")
        self.problems = problems


class InputRejected(InvalidInput):
    """Service B says that the input is wrong; `loc` of a problem is a place within the input."""

    def place(self, *prefix: str | int) -> "InputRejected":
        """Return the same error for a caller whose body has the input at `prefix`."""
        return InputRejected(
            [{**problem, "loc": [*prefix, *problem["loc"]]} for problem in self.problems]
        )


class ModelUnknown(GatewayError):
    """Service B has no model of this name. The message is B's own, and says which it has."""


class WrongContentType(GatewayError):
    """The body is not declared as JSON."""


class ForeignPage(GatewayError):
    """A page of another site makes a call that it may not make."""


class UnsupportedEncoding(GatewayError):
    """The body is compressed, or otherwise encoded."""


class BodyTooLarge(GatewayError):
    """The body is over the limit of `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"body over {max_bytes} bytes")
        self.max_bytes = max_bytes


class BodyTimeout(GatewayError):
    """The body didn't arrive in time."""


class BodiesOverBudget(GatewayError):
    """The bodies under way leave no room for another."""


class FaultUnknown(GatewayError):
    """There is no fault of this kind."""

    def __init__(self, kind: str, kinds: list[str]) -> None:
        super().__init__(f"There is no fault '{kind}'. The kinds are {', '.join(kinds)}")
