"""Everything that can go wrong in the gateway, as facts."""


class GatewayError(Exception):
    """Base of the gateway's own errors."""


class InputLogUnavailable(GatewayError):
    """The input log can't be written. The message is for the log."""


class PredictorUnavailable(GatewayError):
    """Service B gave no usable answer in time. The message says why and is for the log."""


class TooBusy(GatewayError):
    """More is waiting than there is room for."""


class InvalidInput(GatewayError):
    """The caller's input is wrong; `problems` has one entry each, in FastAPI's shape."""

    def __init__(self, problems: list[dict[str, object]]) -> None:
        super().__init__("invalid input")
        self.problems = problems


class InputRejected(InvalidInput):
    """Service B says that the input is wrong."""


class WrongContentType(GatewayError):
    """The body is not declared as JSON."""


class BodyTooLarge(GatewayError):
    """The body is over the limit of `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"body over {max_bytes} bytes")
        self.max_bytes = max_bytes


class BodyTimeout(GatewayError):
    """The body didn't arrive in time."""
