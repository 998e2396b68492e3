"""Single calls: a server that takes no batches is asked for each input by itself."""

import copy
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from gateway.errors import GatewayError, ModelUnknown, PredictorTimeout, PredictorUnavailable
from gateway.intake.entries import Answer, Forward

_logger = logging.getLogger(__name__)

Results = list[Answer | GatewayError]
Ask = Callable[[Sequence[Forward], float], Results]

# The server may be replaced by one that takes batches.
_REMEMBERED_SECONDS = 300
# Fewer than open a circuit by default: inputs that come together, and for which the time runs out,
# must not open it.
_CALLS_AT_ONCE = 4


class SingleCalls:
    """Asks for inputs one by one, a few at once. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at: float | None = None
        self._said = False

    @property
    def are_needed(self) -> bool:
        """Whether the server was found to take no batches, not long ago."""
        return self._ends_at is not None and self._clock() < self._ends_at

    def find_out(self, ask: Ask, forwards: Sequence[Forward], deadline: float) -> Results:
        """Ask where a batch got a 404 or 405: there are no batches, or the model is unknown.

        If it answers for one input, it is remembered as one that takes no batches.
        """
        (first,) = ask(forwards[:1], deadline)
        if isinstance(first, ModelUnknown):
            return [copy.copy(first) for _ in forwards]  # each caller raises one of its own
        if not isinstance(first, PredictorUnavailable):
            self._remember(forwards[0].model)
        return [first, *self.run(ask, forwards[1:], deadline)]

    def run(self, ask: Ask, forwards: Sequence[Forward], deadline: float) -> Results:
        """Return each forward's result before `deadline`, of `time.monotonic()`."""

        def ask_for_one(forward: Forward) -> Answer | GatewayError:
            if time.monotonic() >= deadline:
                return PredictorTimeout("no time was left for the call")
            return ask([forward], deadline)[0]

        with ThreadPoolExecutor(_CALLS_AT_ONCE) as threads:
            return list(threads.map(ask_for_one, forwards))

    def _remember(self, model: str | None) -> None:
        self._ends_at = self._clock() + _REMEMBERED_SECONDS
        if not self._said:
            self._said = True
            fields = {} if model is None else {"model": model}
            _logger.warning("Service B takes no batches", extra={"fields": fields})
