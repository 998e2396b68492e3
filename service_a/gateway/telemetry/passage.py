"""The way of a request through the gateway: how long each stage took, and what came of it."""

import time
from collections.abc import Sequence
from typing import Any


class Call:
    """One call to Service B, which many requests may have gone in.

    Times are those of `time.perf_counter()`. `stages` are Service B's own, as the gateway's
    `Server-Timing` is to have them.
    """

    __slots__ = ("began_at", "callers", "ended_at", "inputs", "number", "stages", "traceparent")

    def __init__(self, number: int, inputs: int, callers: int, traceparent: str = "") -> None:
        self.number = number
        self.inputs = inputs
        self.callers = callers
        self.began_at = time.perf_counter()
        self.ended_at: float | None = None
        self.stages = b""  # begins with a comma, if there are any
        # It has one parent. The traces of other callers are found by their request ids.
        self.traceparent = traceparent


class Passage:
    """How far a request has come, and when. Made for every request, so it does little."""

    __slots__ = (
        "_answered_at",
        "_began_at",
        "_logged_at",
        "_read_at",
        "call",
        "inputs",
        "model",
        "results",
    )

    def __init__(self) -> None:
        self._began_at = time.perf_counter()
        self._read_at = self._logged_at = self._answered_at = 0.0
        self.inputs = 0
        self.model: str | None = None
        self.call: Call | None = None  # the latest that carried the inputs
        self.results: Sequence[Any] = ()

    def end_reading(self, inputs: int, model: str | None) -> None:
        self._read_at = time.perf_counter()
        self.inputs = inputs
        self.model = model

    def end_logging(self) -> None:
        self._logged_at = time.perf_counter()

    def end_forward(self, logged_at: float, results: Sequence[Any]) -> None:
        """End the forward, which began when the inputs were logged."""
        self._answered_at = time.perf_counter()
        if self.call is not None:
            logged_at = min(logged_at, self.call.began_at)  # some clocks are coarse
            self._answered_at = self.call.ended_at or self._answered_at
        self._logged_at = max(logged_at, self._read_at)
        self.results = results

    def write_header(self) -> bytes:
        """Return the value of `Server-Timing`: the stages that were reached, and `total`."""
        stages = b""
        if self._read_at:
            stages = b"read;dur=%.2f, " % ((self._read_at - self._began_at) * 1000)
        if self._logged_at:
            began_at = self._read_at or self._began_at
            stages += b"log;dur=%.2f, " % ((self._logged_at - began_at) * 1000)
        if self._answered_at:
            called_at = self.call.began_at if self.call else self._answered_at
            stages += b"wait;dur=%.2f, " % ((called_at - self._logged_at) * 1000)
            if self.call:
                predicted_ms = (self._answered_at - called_at) * 1000
                stages += b"predict;dur=%.2f%b, " % (predicted_ms, self.call.stages)
        return b"%btotal;dur=%.2f" % (stages, (time.perf_counter() - self._began_at) * 1000)

    def list_stages(self) -> list[tuple[str, float, float]]:
        """Return the gateway's stages that were reached: the name, when it began, and ended."""
        called_at = self.call.began_at if self.call else self._answered_at
        ends = {
            "read": self._read_at,
            "log": self._logged_at,
            "wait": called_at if self._answered_at else 0.0,
            "predict": self._answered_at if self.call else 0.0,
        }
        stages = []
        began_at = self._began_at
        for name, ended_at in ends.items():
            if ended_at:
                stages.append((name, began_at, ended_at))
                began_at = ended_at
        return stages

    def measure(self) -> dict[str, float]:
        """Return the milliseconds of each stage, Service B's own too, and of all together."""
        stages = dict(each.split(b";dur=") for each in self.write_header().split(b", "))
        return {name.decode(): float(value) for name, value in stages.items()}
