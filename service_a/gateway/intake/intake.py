"""What happens to an input: logged, forwarded if asked for, its outcome logged."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from gateway.errors import (
    GatewayError,
    InputLogUnavailable,
    InputRejected,
    ModelUnknown,
    PredictorUnavailable,
    TooBusy,
)
from gateway.forwarding.circuit_breaker import CircuitBreaker
from gateway.forwarding.client import Answer, Forward, PredictorClient
from gateway.input_log.replay_queue import Claim
from gateway.input_log.writer import InputLog
from gateway.intake.batcher import Batcher, Group
from gateway.intake.entries import Entry, Heartbeat, NewInput, Outcome, OutcomeKind
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.trace import Origin

_logger = logging.getLogger(__name__)

# A disk that hangs is as bad as one that is full.
_LOG_TIMEOUT_SECONDS = 5
_LOG_MAX_BATCH = 256
_LOG_MAX_WAITING = 10_000
# Each commit waits for the disk, so outcomes go along with the next input's. Fewer than this would
# make it longer for little: they wait for more of them, or for some time.
_OUTCOMES_AT_ONCE = 4
_OUTCOME_DELAY_SECONDS = 0.05

# An input that was logged so recently shows that the log can be written.
_PROOF_SECONDS = 0.1

# With all callers in one call, this process would rest while B works, and B while this one answers.
_FORWARD_MAX_CALLERS = 32
# While the answers of one call are read, B has the other one to work on.
_FORWARD_CALLS = 2

_KNOWN = (Answer, InputRejected, ModelUnknown, PredictorUnavailable)

# Who waits longer than this share of the time for a turn would have too little left for the call:
# under overload the oldest would take B's time and be given up all the same.
_MAX_WAIT_SHARE = 0.5


_Passed = tuple[Group[Answer], Sequence[Forward]]


class _Writing(NamedTuple):
    """What one caller wants logged, and what makes its forwards of the numbers in the log."""

    entries: Sequence[Entry]
    pass_on: Callable[[Sequence[int]], _Passed] | None = None


class Intake:
    """Takes inputs in. What arrives together is logged in one commit and forwarded in one call."""

    def __init__(
        self,
        log: InputLog,
        client: PredictorClient,
        breaker: CircuitBreaker,
        metrics: Metrics,
        *,
        forward_timeout_seconds: float,
        forward_max_batch: int,
        forward_max_waiting: int,
    ) -> None:
        self._forward_timeout_seconds = forward_timeout_seconds
        self._breaker = breaker
        self._metrics = metrics
        self._forwards: Batcher[Forward, Answer] = Batcher(
            partial(_predict_together, client, metrics),
            name="forward",
            max_batch=forward_max_batch,
            max_waiting=forward_max_waiting,
            max_seconds=forward_timeout_seconds,
            max_wait_seconds=forward_timeout_seconds * _MAX_WAIT_SHARE,
            max_callers=_FORWARD_MAX_CALLERS,
            threads=_FORWARD_CALLS,
        )
        self._log: Batcher[_Writing, list[int]] = Batcher(
            partial(self._commit, log),
            name="input-log",
            max_batch=_LOG_MAX_BATCH,
            max_waiting=_LOG_MAX_WAITING,
            max_seconds=_LOG_TIMEOUT_SECONDS,
        )
        self._logged_at = -math.inf  # of `time.monotonic()`
        self._outcomes: list[Outcome] = []
        self._outcome_timer: asyncio.TimerHandle | None = None

    async def keep(self, data: bytes, origin: Origin, model: str | None = None) -> None:
        """Log an input, given as JSON, that is not to be forwarded.

        Raises:
            InputLogUnavailable: it could not be logged.
        """
        entry = NewInput(origin.request_id, data.decode(), OutcomeKind.LOGGED, model)
        await self._write([entry])

    async def predict(
        self, documents: Sequence[bytes], origin: Origin, model: str | None = None
    ) -> list[Answer | GatewayError]:
        """Log inputs, given as JSON, forward them, and log what became of each.

        Returns for each an answer; `InputRejected`, when Service B says that it is wrong;
        `ModelUnknown`; or `PredictorUnavailable`, when B gave no usable answer in time.

        Raises:
            InputLogUnavailable: they could not be logged, so none was forwarded.
        """
        admitted = self._breaker.admit()
        # While the circuit is open the outcome is known already: no second commit is needed.
        kind = OutcomeKind.PENDING if admitted else OutcomeKind.UNAVAILABLE
        now = datetime.now(UTC)
        inputs = [
            NewInput(origin.request_id, data.decode(), kind, model, now) for data in documents
        ]
        if not admitted:
            await self._write(inputs)
            self._metrics.count_forwards(kind, len(documents))
            return [PredictorUnavailable("the circuit is open")] * len(documents)
        group = self._forwards.expect(len(documents))
        numbers: list[int] = []  # as long as it is empty, they are not in the log

        # The thread that has committed them does this: so it needs no turn of this loop.
        def pass_on(logged: Sequence[int]) -> _Passed:
            numbers.extend(logged)
            deadline = time.monotonic() + self._forward_timeout_seconds
            return group, [
                Forward(data, origin.request_id, deadline, model, origin.traceparent)
                for data in documents
            ]

        if len(self._outcomes) >= _OUTCOMES_AT_ONCE:
            self._log_outcomes()
        try:
            self._log.put_before(_Writing(inputs, pass_on), group)
        except TooBusy as error:
            raise InputLogUnavailable(str(error)) from None
        return await self._settle(numbers, group)

    async def predict_again(
        self, claims: Sequence[Claim], origin: Origin
    ) -> list[Answer | GatewayError]:
        """Forward inputs that were claimed from the log, and log what became of each."""
        if not self._breaker.admit():
            kind = OutcomeKind.UNAVAILABLE
            self._add([Outcome(claim.number, kind, duration_ms=0) for claim in claims])
            return [PredictorUnavailable("the circuit is open")] * len(claims)
        deadline = time.monotonic() + self._forward_timeout_seconds
        forwards = [
            Forward(
                claim.data.encode(), claim.request_id, deadline, claim.model, origin.traceparent
            )
            for claim in claims
        ]
        group = self._forwards.expect(len(forwards))
        self._forwards.add([(group, forwards)])
        return await self._settle([claim.number for claim in claims], group)

    async def check_log(self) -> None:
        """Raise `InputLogUnavailable` when the log can't be written.

        An input that was logged a moment ago shows that it can, and spares waiting for a turn.
        """
        if time.monotonic() - self._logged_at > _PROOF_SECONDS:
            await self._write([Heartbeat()])

    async def catch_up(self) -> None:
        """Wait until the log has the outcomes of all that was answered, or they are lost."""
        self._log_outcomes()
        with suppress(InputLogUnavailable):
            await self._write([])

    async def close(self) -> None:
        """Finish the forwards, then the log."""
        await self.catch_up()  # what has been logged is then passed on
        await self._forwards.close()
        self._log_outcomes()
        await self._log.close()

    async def _settle(
        self, numbers: Sequence[int], group: Group[Answer]
    ) -> list[Answer | GatewayError]:
        results: list[Answer | GatewayError] = [PredictorUnavailable("given up")] * group.size
        try:
            results = [_know(result) for result in await self._forwards.wait(group)]
        except TimeoutError:
            if not numbers:
                raise InputLogUnavailable("the log did not answer in time") from None
            results = [PredictorUnavailable("no answer in time")] * group.size
        except TooBusy as error:
            results = [PredictorUnavailable(str(error))] * group.size
        finally:
            duration_ms = round((time.monotonic() - group.since) * 1000, 1)
            now = datetime.now(UTC)
            outcomes = [
                _tell_outcome(number, result, duration_ms, now)
                for number, result in zip(numbers, results, strict=False)
            ]
            for outcome in outcomes:
                self._metrics.count_forwards(outcome.outcome)
            self._add(outcomes)
        return results

    def _add(self, outcomes: Sequence[Outcome]) -> None:
        """Have outcomes logged with an input that comes soon, or by themselves.

        Nobody waits for it: the inputs are safe, and the answers known.
        """
        self._outcomes += outcomes
        if self._outcome_timer is None:
            loop = asyncio.get_running_loop()
            self._outcome_timer = loop.call_later(_OUTCOME_DELAY_SECONDS, self._log_outcomes)

    def _log_outcomes(self) -> None:
        if self._outcome_timer is not None:
            self._outcome_timer.cancel()
            self._outcome_timer = None
        outcomes, self._outcomes = self._outcomes, []
        if not outcomes:
            return
        try:
            logging_them = self._log.put([_Writing(outcomes)])
        except TooBusy as error:
            _tell_lost(outcomes, error)
        else:
            logging_them.add_done_callback(partial(_check_logged, outcomes))

    async def _write(self, entries: Sequence[Entry]) -> list[int]:
        try:
            return await self._log.submit(_Writing(entries))
        except TimeoutError:
            raise InputLogUnavailable("the log did not answer in time") from None
        except TooBusy as error:
            raise InputLogUnavailable(str(error)) from None

    def _commit(self, log: InputLog, writings: Sequence[_Writing]) -> list[list[int]]:
        """Commit what several callers want logged, all of it or nothing, and pass on what is to be
        forwarded."""
        entries = [entry for writing in writings for entry in writing.entries]
        if not entries:
            return [[] for _ in writings]
        started = time.monotonic()
        numbers = iter(log.write(entries))
        ended = time.monotonic()
        inputs = sum(isinstance(entry, NewInput) for entry in entries)
        self._metrics.count_commit(len(entries), inputs, ended - started)
        if inputs:
            self._logged_at = ended
        results = [[next(numbers) for _ in writing.entries] for writing in writings]
        self._forwards.add(
            [
                writing.pass_on(result)
                for writing, result in zip(writings, results, strict=True)
                if writing.pass_on
            ]
        )
        return results


def _predict_together(
    client: PredictorClient, metrics: Metrics, forwards: Sequence[Forward]
) -> list[Answer | GatewayError]:
    metrics.count_call(len(forwards))
    return client.predict(forwards)


def _check_logged(
    outcomes: Sequence[Outcome], logging_them: asyncio.Future[list[list[int] | Exception]]
) -> None:
    error = logging_them.exception()
    (result,) = [error] if error else logging_them.result()
    if isinstance(result, BaseException):
        _tell_lost(outcomes, result)


def _tell_lost(outcomes: Sequence[Outcome], error: BaseException) -> None:
    first = outcomes[0]
    fields = {
        "input": first.input_number,
        "outcome": first.outcome,
        "inputs": len(outcomes),
        "reason": str(error) or type(error).__name__,
    }
    _logger.warning("outcome could not be logged", extra={"fields": fields})


def _know(result: Answer | Exception) -> Answer | GatewayError:
    """A result is an answer or one of the errors that callers are told of; no other gets by."""
    if isinstance(result, _KNOWN):
        return result
    if isinstance(result, TooBusy):
        return PredictorUnavailable(str(result))
    raise result


def _tell_outcome(
    number: int, result: Answer | GatewayError, duration_ms: float, now: datetime
) -> Outcome:
    if isinstance(result, Answer):
        kind = OutcomeKind.PREDICTED
        return Outcome(number, kind, duration_ms, result.price, result.model_version, now)
    failed = isinstance(result, PredictorUnavailable)
    kind = OutcomeKind.UNAVAILABLE if failed else OutcomeKind.REJECTED
    return Outcome(number, kind, duration_ms, outcome_at=now)
