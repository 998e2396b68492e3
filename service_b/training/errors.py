"""What can go wrong in training, said in one line that the user can act on."""


class TrainingError(Exception):
    """Training can't go on; nothing was registered."""
