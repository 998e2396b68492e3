"""The way of a request through the gateway: its stages, and the call to Service B."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.telemetry.stages import Stages


class Call:
    """One call to Service B, which many requests may have gone in. Times are `perf_counter`'s."""

    __slots__ = ("began_at", "callers", "ended_at", "inputs", "number", "stages")

    def __init__(self, number: int, inputs: int, callers: int) -> None:
        self.number = number
        self.inputs = inputs
        self.callers = callers
        self.began_at = time.perf_counter()
        self.ended_at: float | None = None
        self.stages: Mapping[str, float] = {}  # Service B's own, in milliseconds


class Passage(Stages):
    """The stages of a request, and what came of its inputs as far as that is known."""

    __slots__ = ("call", "inputs", "model", "results")

    def __init__(self) -> None:
        super().__init__()
        self.inputs = 0
        self.model: str | None = None
        self.call: Call | None = None  # the latest that the inputs went in
        self.results: Sequence[Any] = ()

    def take_in(self, inputs: int, model: str | None) -> None:
        """The request is read, and these are its inputs."""
        self.end("read")
        self.inputs = inputs
        self.model = model

    def end_call(self) -> None:
        """End the wait for a call and the call, if there was one, with Service B's own stages."""
        call = self.call
        if call is None:
            self.end("wait")
            return
        self.end("wait", call.began_at)
        self.end("predict", call.ended_at)
        self.milliseconds |= call.stages
