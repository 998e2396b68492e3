"""The queue before Service B: inputs that come together go into one call."""

from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.intake.batcher import Batcher
from gateway.intake.entries import Answer, Forward
from gateway.intake.ports import Counts, Predictor

# With all callers in one call, this process would rest while B works, and B while this one answers.
_MAX_CALLERS = 32
# An input that waits for its turn longer than this share of the time would have too little left for
# the call: under overload, B would work on the oldest, which are given up all the same.
_MAX_WAIT_SHARE = 0.5

ForwardQueue = Batcher[Forward, Answer]


def make_forward_queue(
    predictor: Predictor,
    counts: Counts,
    *,
    timeout_seconds: float,
    max_batch: int,
    max_waiting: int,
    calls_at_once: int,
) -> ForwardQueue:
    """Make the queue. A forward may take `timeout_seconds` in all."""

    def predict(forwards: Sequence[Forward], deadline: float) -> Sequence[Answer | GatewayError]:
        counts.count_call(len(forwards))
        return predictor.predict(forwards, deadline)

    return Batcher(
        predict,
        name="forward",
        max_batch=max_batch,
        max_waiting=max_waiting,
        max_seconds=timeout_seconds,
        max_wait_seconds=timeout_seconds * _MAX_WAIT_SHARE,
        max_callers=_MAX_CALLERS,
        threads=calls_at_once,
    )
