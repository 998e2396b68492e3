"""Everything that can go wrong in the predictor, as facts."""


class PredictorError(Exception):
    """Base of the predictor's own errors."""


class ModelUnavailable(PredictorError):
    """No model is loaded that could answer."""


class ModelRefused(PredictorError):
    """A version exists but failed a check and is not served. The message is for the log."""


class InvalidInput(PredictorError):
    """The caller's input is wrong; `errors` has one entry per problem, in FastAPI's shape."""

    def __init__(self, errors: list[dict[str, object]]) -> None:
        super().__init__("invalid input")
        self.errors = errors
