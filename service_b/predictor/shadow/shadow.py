"""A version that is tried on the inputs of callers, who get nothing of it and wait for nothing."""

import ctypes
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pydantic import BaseModel

from predictor.errors import InputRejected
from predictor.inference.served_model import Outcome, ServedModel
from predictor.shadow.calls_under_way import CallsUnderWay
from predictor.shadow.comparison import ChallengerHangs, Sample, compare, log_comparison
from predictor.shadow.findings import Findings, Summary
from predictor.shadow.sampling import Sampler
from predictor.telemetry.comparisons import Comparisons
from predictor.versions.manifest import ChallengerEntry
from predictor.versions.registry import ModelRegistry

MOST_WAITING = 1000
"""Inputs that wait for a quiet moment; what is more is dropped and counted."""

# A caller whose request comes meanwhile waits until the interpreter is free, so: few at once, and
# a moment for others after them.
_PIECE = 4
_MOMENT_SECONDS = 0.0005
# How long it leaves the service alone while callers wait: each look takes the interpreter from
# them, so looks get rarer under a lasting load.
_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.32
# A challenger that takes longer for a piece is left alone until the alias names another version.
_HANGS_AFTER_SECONDS = 5

_logger = logging.getLogger(__name__)

Status = Literal["comparing", "no_version", "same_version", "hangs"]


class State(NamedTuple):
    """Whether inputs are compared, of which versions, and what was found."""

    status: Status
    version: str | None
    challenger_version: str | None
    summary: Summary


@dataclass(frozen=True)
class _Piece:
    """What the challenger is predicting. Whoever gets the lock counts what comes of it."""

    challenger: ServedModel
    samples: Sequence[Sample]
    began_at: float = field(default_factory=time.monotonic)
    counting: threading.Lock = field(default_factory=threading.Lock)


class Shadow:
    """Has the version that an alias names predict a share of the inputs of a model.

    `offer` and `describe` are for the event loop; they only take note. A thread of its own
    predicts, when no caller waits. Its priority is that of all others: with a low one it would
    get no processor while it holds the interpreter, and callers would wait for both.
    """

    def __init__(
        self,
        name: str,
        entry: ChallengerEntry,
        registry: ModelRegistry,
        calls: CallsUnderWay,
        comparisons: Comparisons,
    ) -> None:
        self.name = name
        self.entry = entry
        self._registry = registry
        self._calls = calls
        self._comparisons = comparisons
        self._sampler = Sampler(entry.share)
        self._waiting: deque[Sample] = deque()
        self._wanted = threading.Event()
        self._finding = threading.Lock()
        self._findings: Findings | None = None
        self._piece: _Piece | None = None
        self._hanging: ServedModel | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to predict what is offered."""
        # A daemon: a challenger that hangs doesn't keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"shadow-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Forget what waits, and end after what is being predicted."""
        self._thread = None
        self._waiting.clear()
        self._wanted.set()

    def offer(
        self,
        request_id: str,
        model: ServedModel,
        inputs: Sequence[BaseModel],
        outcomes: Sequence[Outcome],
    ) -> None:
        """Put a share of the inputs aside, unless an alias's version has answered."""
        champion, challenger = self._find_pair()
        findings = self._find_findings(champion, challenger)
        if findings is None or model is not champion:
            return
        self._look_for_hang()
        dropped = 0
        for values, answered in zip(inputs, outcomes, strict=False):
            if isinstance(answered, InputRejected) or not self._sampler.take():
                continue
            if challenger is self._hanging or len(self._waiting) >= MOST_WAITING:
                dropped += 1
            else:
                self._waiting.append(Sample(request_id, values, answered, findings))
        if dropped:
            findings.add_dropped(dropped)
        if self._waiting and not self._wanted.is_set():
            self._wanted.set()

    def describe(self) -> State:
        """Give what was found for the versions of now."""
        self._look_for_hang()
        champion, challenger = self._find_pair()
        findings = self._find_findings(champion, challenger)
        status: Status = "comparing"
        if challenger is None:
            status = "no_version"
        elif findings is None:
            status = "same_version"
        elif challenger is self._hanging:
            status = "hangs"
        return State(
            status,
            champion.version if champion else None,
            challenger.version if challenger else None,
            findings.summarise() if findings else Summary(),
        )

    def _find_pair(self) -> tuple[ServedModel | None, ServedModel | None]:
        loaded = self._registry.loaded
        return loaded.get(self.name), loaded.get(f"{self.name}@{self.entry.alias}")

    def _find_findings(
        self, champion: ServedModel | None, challenger: ServedModel | None
    ) -> Findings | None:
        """Give those of two versions; they begin anew when one is replaced."""
        if champion is None or challenger is None or champion is challenger:
            return None
        pair = (champion.version, challenger.version)
        with self._finding:
            if self._findings is None or self._findings.pair != pair:
                series = self._comparisons.find_series(self.name, *pair)
                self._findings = Findings(pair, series)
            return self._findings

    def _run(self) -> None:
        pause_seconds = _PAUSE_SECONDS
        while self._thread is threading.current_thread():
            if not self._waiting:
                self._wanted.wait()
                self._wanted.clear()
            elif self._calls.is_quiet:
                self._predict_some()
                pause_seconds = _PAUSE_SECONDS
                time.sleep(_MOMENT_SECONDS)
            else:
                time.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _predict_some(self) -> None:
        champion, challenger = self._find_pair()
        findings = self._find_findings(champion, challenger)
        samples = []
        for sample in self._take_some():
            if sample.findings is findings:
                samples.append(sample)
            else:  # one of the versions has been replaced since
                sample.findings.add_dropped(1)
        if findings is None or challenger is None or not samples:
            return
        self._piece = piece = _Piece(challenger, samples)
        results = compare(challenger, samples)
        if not piece.counting.acquire(blocking=False):
            return  # it took too long, and another thread goes on
        self._piece = None
        for sample, result in zip(samples, results, strict=True):
            if isinstance(result, str):
                findings.add_failed(1)
            else:
                findings.add(result)
            log_comparison(self.name, sample, result)

    def _take_some(self) -> Iterator[Sample]:
        with suppress(IndexError):  # there are no more, perhaps because it is stopped
            for _ in range(_PIECE):
                yield self._waiting.popleft()

    def _look_for_hang(self) -> None:
        """Leave a challenger alone that hangs, and go on in another thread."""
        piece = self._piece
        if piece is None or time.monotonic() - piece.began_at < _HANGS_AFTER_SECONDS:
            return
        if piece.counting.acquire(blocking=False):
            self._replace_thread(piece)

    def _replace_thread(self, piece: _Piece) -> None:
        self._piece = None
        self._hanging = piece.challenger
        piece.samples[0].findings.add_failed(len(piece.samples))
        while self._waiting:
            self._waiting.popleft().findings.add_dropped(1)
        fields = {"model": self.name, "challenger": piece.challenger.version}
        _logger.error("challenger hangs and is left alone", extra={"fields": fields})
        if self._thread is not None and self._thread.ident is not None:
            # Ends it as soon as it runs Python code, so that it doesn't keep a processor busy.
            thread = ctypes.c_ulong(self._thread.ident)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(ChallengerHangs))
        try:
            self.start()
        except RuntimeError:  # the system has no more threads: no reason to fail a caller
            _logger.exception("challenger isn't compared any more", extra={"fields": fields})
