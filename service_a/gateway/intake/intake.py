"""What happens to an input: logged, forwarded if asked for, its outcome logged."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby

from gateway.errors import (
    GatewayError,
    InputRejected,
    ModelUnknown,
    PredictorUnavailable,
    TooBusy,
)
from gateway.intake.entries import Answer, Claim, Forward, NewInput, Outcome, OutcomeKind
from gateway.intake.groups import Group
from gateway.intake.lanes import Lane, Lanes
from gateway.intake.log_queue import LogQueue, explain
from gateway.intake.ports import Counts
from gateway.telemetry.passage import Passage
from gateway.telemetry.trace import Trace

# What a caller may get. Anything else is a mistake in this program.
_RESULTS = (Answer, InputRejected, ModelUnknown, PredictorUnavailable)
# Of these, what Service B gives only for a model that it has.
_KNOWN = (Answer, InputRejected)
_CATCH_UP_SECONDS = 0.5


class Intake:
    """Takes inputs in. One queue leads to the log, and a lane for each model to Service B."""

    def __init__(self, log: LogQueue, lanes: Lanes, counts: Counts) -> None:
        self._log = log
        self._lanes = lanes
        self._counts = counts

    async def keep(self, data: bytes, trace: Trace, model: str | None = None) -> None:
        """Log an input, given as JSON, that is not to be forwarded.

        Raises:
            InputLogUnavailable: it could not be logged.
        """
        trace.stages.end_reading(1, model)
        await self._log.write(
            [NewInput(trace.request_id, data.decode(), OutcomeKind.LOGGED, model)]
        )
        trace.stages.end_logging()

    async def predict(
        self, documents: Sequence[bytes], trace: Trace, model: str | None = None
    ) -> list[Answer | GatewayError]:
        """Log inputs, given as JSON, forward them, and log the outcome of each.

        Returns for each an answer; `InputRejected`, when Service B says that it is wrong;
        `ModelUnknown`; or `PredictorUnavailable`, when B gave no usable answer in time.

        Raises:
            InputLogUnavailable: they could not be logged, so none was forwarded.
        """
        stages = trace.stages
        stages.end_reading(len(documents), model)
        lane = self._find_open(model)
        # While the circuit is open the outcome is known already: no second commit is needed.
        kind = OutcomeKind.PENDING if lane else OutcomeKind.UNAVAILABLE
        now = datetime.now(UTC)
        inputs = [NewInput(trace.request_id, data.decode(), kind, model, now) for data in documents]
        if lane is None:
            await self._log.write(inputs)
            stages.end_logging()
            self._counts.count_forwards(kind, len(documents))
            return _refuse(len(documents))
        traceparent = trace.traceparent
        request_id = trace.request_id
        forwards = [Forward(data, request_id, model, traceparent, stages) for data in documents]
        group = self._log.write_before(inputs, lane.queue, forwards)
        del inputs  # they take as much memory as what is forwarded, and are needed no more
        return await self._collect(lane, group, forwards, stages)

    def admits(self, model: str | None) -> bool:
        """Say whether inputs for this model may be forwarded now."""
        return self._find_open(model) is not None

    async def predict_again(
        self, model: str | None, claims: Sequence[Claim], trace: Trace
    ) -> list[Answer | GatewayError]:
        """Forward inputs for one model that were claimed from the log; log the outcome of each."""
        lane = self._lanes.find(model)
        if lane is None:  # others took the room while the inputs were claimed
            results = _refuse(len(claims))
            now = datetime.now(UTC)
            self._log.write_later(
                [
                    _describe(claim.number, claim.request_id, result, 0.0, now)
                    for claim, result in zip(claims, results, strict=True)
                ]
            )
            return results
        forwards = [
            Forward(claim.data.encode(), claim.request_id, model, trace.traceparent, trace.stages)
            for claim in claims
        ]
        group = lane.queue.put(forwards)
        group.before = [claim.number for claim in claims]
        trace.stages.inputs += len(claims)
        return await self._collect(lane, group, forwards, trace.stages)

    async def close(self) -> None:
        """Finish the forwards, or give them up if that takes too long; then finish the log."""
        # What waits there to be logged is then in the other queue.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._log.catch_up(), _CATCH_UP_SECONDS)
        await self._lanes.close()
        await asyncio.sleep(0)  # whoever was refused has an outcome to be logged
        await self._log.close()

    def _find_open(self, model: str | None) -> Lane | None:
        """Find the lane of a model, if it has one and its circuit admits an input."""
        lane = self._lanes.find(model)
        return lane if lane and lane.breaker.admit() else None

    async def _collect(
        self, lane: Lane, group: Group[Answer], forwards: Sequence[Forward], stages: Passage
    ) -> list[Answer | GatewayError]:
        """Wait for the results of inputs that are logged and forwarded; log their outcomes."""
        results: list[Answer | GatewayError] = [PredictorUnavailable("given up")] * group.size
        lane.callers += 1
        try:
            results = [_check(result) for result in await group.future]
        except (TimeoutError, TooBusy) as error:
            if group.before is None:  # they got no further than the log's queue
                raise explain(error) from None
            reason = str(error) or "no answer in time"
            results = [PredictorUnavailable(reason)] * group.size
        finally:  # also when the caller has gone
            lane.callers -= 1
            lane.confirmed = lane.confirmed or any(isinstance(each, _KNOWN) for each in results)
            seconds = time.monotonic() - group.since
            duration_ms = round(seconds * 1000, 1)
            if group.before is not None:
                stages.end_forward(time.perf_counter() - seconds, results)
            now = datetime.now(UTC)
            outcomes = [
                _describe(number, forward.request_id, result, duration_ms, now)
                for number, forward, result in zip(
                    group.before or [], forwards, results, strict=False
                )
            ]
            for kind, same in groupby([each.outcome for each in outcomes]):
                self._counts.count_forwards(kind, len([*same]))
            for result in results:
                if isinstance(result, Answer) and result.warnings:
                    _, model, fields = result.warnings
                    self._counts.count_warnings(model, result.model_version, fields)
            self._log.write_later(outcomes)
        return results


def _refuse(inputs: int) -> list[Answer | GatewayError]:
    return [PredictorUnavailable("no call is made for this model now")] * inputs


def _check(result: Answer | Exception) -> Answer | GatewayError:
    if isinstance(result, _RESULTS):
        return result
    if isinstance(result, TooBusy):
        return PredictorUnavailable(str(result))
    raise result


def _describe(
    number: int, request_id: str, result: Answer | GatewayError, duration_ms: float, now: datetime
) -> Outcome:
    if isinstance(result, Answer):
        kind = OutcomeKind.PREDICTED
        price, version = result.price, result.model_version
        rest = result.interval_lower, result.interval_upper, result.prediction
        warnings = result.warnings and result.warnings.content
        return Outcome(number, request_id, kind, duration_ms, price, version, now, *rest, warnings)
    failed = isinstance(result, PredictorUnavailable)
    kind = OutcomeKind.UNAVAILABLE if failed else OutcomeKind.REJECTED
    return Outcome(number, request_id, kind, duration_ms, outcome_at=now)
