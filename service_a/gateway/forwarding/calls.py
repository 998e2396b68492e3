"""The calls to Service B: each has a number, and is shown to whoever watches."""

import re
import time
from collections.abc import Sequence
from itertools import count

from gateway.errors import GatewayError, PredictorUnavailable
from gateway.intake.entries import Answer, Forward, OutcomeKind
from gateway.telemetry.events import Watchers
from gateway.telemetry.passage import Call

# Anything else in the header may be a proxy's.
_STAGE = re.compile(r"\b(check|predict|total)(;dur=\d{1,9}(?:\.\d{1,9})?)(?=,)", re.ASCII)
_MAX_CHARS = 1024


class Calls:
    """Safe to use from many threads."""

    def __init__(self, watchers: Watchers) -> None:
        self._watchers = watchers
        self._numbers = count(1)

    def begin(self, forwards: Sequence[Forward]) -> Call:
        """Number a call, and note it for each request whose inputs it carries."""
        passages = {forward.stages for forward in forwards}
        traceparent = forwards[0].traceparent
        call = Call(next(self._numbers), len(forwards), len(passages), traceparent)
        for passage in passages:
            if passage is not None:
                passage.call = call
        return call

    def end(self, call: Call, results: Sequence[Answer | GatewayError] | None) -> None:
        """End a call: with a result for each input, with none, or None if it was too large."""
        call.ended_at = time.perf_counter()
        if not self._watchers:
            return
        event = {
            "call": call.number,
            "inputs": call.inputs,
            "callers": call.callers,
            "duration_ms": round((call.ended_at - call.began_at) * 1000, 2),
            "outcome": find_outcome(results),
        }
        self._watchers.publish_from_thread("call", event)


def read_stages(server_timing: str) -> bytes:
    """Read what Service B says of its stages, and give them names of their own for a `Call`."""
    stages = dict(_STAGE.findall(f"{server_timing},"[:_MAX_CHARS]))  # each once
    return "".join([f", b_{name}{duration}" for name, duration in stages.items()]).encode()


def find_outcome(results: Sequence[Answer | GatewayError] | None) -> OutcomeKind:
    """Say what came of the call as a whole; one answer is enough to call it predicted."""
    if results is None:  # too much for one call
        return OutcomeKind.REJECTED
    if any(isinstance(result, Answer) for result in results):
        return OutcomeKind.PREDICTED
    if all(isinstance(result, PredictorUnavailable) for result in results):
        return OutcomeKind.UNAVAILABLE
    return OutcomeKind.REJECTED
