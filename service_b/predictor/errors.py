"""Everything that can go wrong in the predictor, as facts."""


class PredictorError(Exception):
    """Base of the predictor's own errors."""


class ModelUnavailable(PredictorError):
    """No model is loaded that could answer."""


class ModelRefused(PredictorError):
    """A version exists but failed a check and is not served. The message is for the log."""


class InvalidInput(PredictorError):
    """The caller's input is wrong; `problems` has one entry each, in FastAPI's shape."""

    def __init__(self, problems: list[dict[str, object]]) -> None:
        super().__init__("invalid input")
        self.problems = problems


class WrongContentType(PredictorError):
    """The body is not declared as JSON."""


class BodyTooLarge(PredictorError):
    """The body is over the limit of `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"body over {max_bytes} bytes")
        self.max_bytes = max_bytes


class BodyTimeout(PredictorError):
    """The body didn't arrive in time."""
