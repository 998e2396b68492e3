"""Why the lab ends before it is done."""


class LabFailure(Exception):
    """Something can't be done; the message says what to do about it."""


class WrongArguments(Exception):
    """The command doesn't take such arguments."""


class Stopped(BaseException):
    """The lab is to stop, because of Ctrl-C or a signal. No `except Exception` may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
