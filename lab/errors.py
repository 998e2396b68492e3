"""Why the lab ends before it is done."""


class LabFailure(Exception):
    """Something can't be done; the message says what to do about it."""


class WrongArguments(Exception):
    """The command was called in a way that it doesn't know."""


class Stopped(BaseException):
    """The lab was told to stop, by Ctrl-C or a signal. No `except Exception` may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
