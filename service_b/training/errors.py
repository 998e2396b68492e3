"""What can go wrong in training, said in one line that the user can act on."""


class TrainingError(Exception):
    """Training can't go on; nothing was registered."""

    status = 1


class NoVerdict(TrainingError):
    """A question can't be answered. Its status isn't the one that an answer may have."""

    status = 2
