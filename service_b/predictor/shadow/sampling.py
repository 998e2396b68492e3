"""Which inputs are taken."""

import math

# The fractional part of the golden ratio: its multiples are spread most evenly between 0 and 1.
_STEP = (math.sqrt(5) - 1) / 2


class Sampler:
    """Takes a share of what comes, by counting: the same in every run.

    Of any number of inputs the share is taken to within a few. Every fifth would be a share of
    0.2 too, but of callers that send ten houses in turn it would only ever see two.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._position = 0.0

    def take(self) -> bool:
        """Say whether the next input is taken."""
        self._position = (self._position + _STEP) % 1
        return self._position < self._share
