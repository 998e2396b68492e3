"""The order and the end of a replay, with a fake of the queue in the log and of the intake."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from gateway.errors import GatewayError, InputFailed, InputRejected, PredictorUnavailable
from gateway.intake import replay as module
from gateway.intake.entries import Answer, Claim, Span
from gateway.intake.intake import Intake
from gateway.intake.replay import Replay, Replayed
from gateway.telemetry.trace import Trace, read_trace

ANSWER = Answer(b"{}", 1.5, "7")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FAILED = PredictorUnavailable("status 503")


class FakeQueue:
    """Numbers of inputs that wait, by model; what is claimed is away until it has failed."""

    def __init__(self, **waiting: Sequence[int]) -> None:
        self.waiting: dict[str | None, list[int]] = {
            None if name == "default" else name: list(numbers) for name, numbers in waiting.items()
        }
        self.claims: list[list[int]] = []

    def find_models(self) -> list[str | None]:
        return [model for model, numbers in self.waiting.items() if numbers]

    def count(self, model: str | None, span: Span, limit: int) -> int:
        return len(self._find(model, span)[:limit])

    def claim(self, model: str | None, span: Span, limit: int) -> list[Claim]:
        found = self._find(model, span)[:limit]
        self.claims.append(found)
        self.waiting[model] = [each for each in self.waiting[model] if each not in found]
        return [
            Claim(number, f"r{number}", NOON + timedelta(seconds=number), "1", model)
            for number in found
        ]

    def _find(self, model: str | None, span: Span) -> list[int]:
        after = span.after.number if span.after else 0
        until = span.until.number if span.until else 10**9
        return [number for number in self.waiting[model] if after < number <= until]


class FakeIntake:
    """Fails the inputs that it is told to; a circuit opens after as many steps that failed."""

    def __init__(
        self,
        queue: FakeQueue,
        fails: Callable[[Claim], bool],
        *,
        steps: int = 5,
        result: Answer | GatewayError = ANSWER,
    ) -> None:
        self._queue = queue
        self._result = result
        self._fails = fails
        self._steps = steps
        self._refused: Counter[str | None] = Counter()
        self.failed_steps: Counter[str | None] = Counter()
        self.failure: GatewayError = FAILED
        self.refusals: float = math.inf  # until a circuit that is open lets a step through

    def admits(self, model: str | None) -> bool:
        if self.failed_steps[model] < self._steps:
            return True
        self._refused[model] += 1
        if self._refused[model] <= self.refusals:
            return False
        self._refused[model] = 0
        return True

    async def predict_again(
        self, model: str | None, claims: Sequence[Claim], _: Trace
    ) -> list[Answer | GatewayError]:
        failed = [claim.number for claim in claims if self._fails(claim)]
        self._queue.waiting[model] = sorted(self._queue.waiting[model] + failed)
        self.failed_steps[model] += len(failed) == len(claims)
        return [self.failure if claim.number in failed else self._result for claim in claims]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STEP_INPUTS", 2)


def make(queue: FakeQueue, intake: FakeIntake) -> Replay:
    return Replay(queue, cast(Intake, intake))


def run(replay: Replay, limit: int = 100) -> Replayed:
    return asyncio.run(replay.run(limit, read_trace("r1", "")))


def test_inputs_are_forwarded_in_steps_oldest_first_up_to_the_limit() -> None:
    queue = FakeQueue(default=range(1, 9))

    replayed = run(make(queue, FakeIntake(queue, lambda _: False)), limit=5)

    assert queue.claims == [[1, 2], [3, 4], [5]]
    assert replayed == Replayed(predicted=5)


def test_what_failed_is_passed_over_and_does_not_use_up_the_limit() -> None:
    queue = FakeQueue(default=range(1, 9))
    intake = FakeIntake(queue, lambda claim: claim.number <= 5)

    replayed = run(make(queue, intake), limit=3)

    assert replayed == Replayed(predicted=3, unavailable=5)
    assert queue.waiting == {None: [1, 2, 3, 4, 5]}


def test_models_take_turns_and_one_that_is_gone_holds_up_no_other() -> None:
    queue = FakeQueue(gone=range(1, 101), default=range(101, 105))
    intake = FakeIntake(queue, lambda claim: claim.model == "gone")

    replayed = run(make(queue, intake), limit=4)

    assert queue.claims[:4] == [[1, 2], [101, 102], [3, 4], [103, 104]]
    assert replayed.predicted == 4


def test_nothing_is_claimed_while_the_circuit_is_open() -> None:
    queue = FakeQueue(default=range(1, 9))

    replayed = run(make(queue, FakeIntake(queue, lambda _: False, steps=0)))

    assert queue.claims == []
    assert replayed == Replayed(unavailable=2)  # of the step that it would have been


def test_next_run_begins_behind_what_failed_until_the_circuit_opened_and_comes_round() -> None:
    queue = FakeQueue(default=range(1, 13))
    intake = FakeIntake(queue, lambda claim: 4 < claim.number <= 10, steps=3)
    replay = make(queue, intake)
    run(replay)
    assert queue.waiting[None] == list(range(5, 13))
    intake.failed_steps.clear()
    queue.claims.clear()

    replayed = run(replay)

    assert queue.claims == [[11, 12], [], [5, 6], [7, 8], [9, 10]]
    assert (replayed.predicted, queue.waiting[None]) == (2, [5, 6, 7, 8, 9, 10])


def test_inputs_that_open_the_circuit_by_themselves_are_passed_over_in_one_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.01)
    queue = FakeQueue(default=range(1, 13))
    intake = FakeIntake(queue, lambda claim: claim.number <= 10, steps=3)
    intake.failure = InputFailed("status 500")
    intake.refusals = 1  # after each opening

    replayed = run(make(queue, intake))

    assert (replayed.predicted, queue.waiting[None]) == (2, list(range(1, 11)))


def test_rejected_inputs_are_counted_as_answered() -> None:
    queue = FakeQueue(default=range(1, 4))
    intake = FakeIntake(queue, lambda _: False, result=InputRejected([]))

    replayed = run(make(queue, intake), limit=2)

    assert replayed == Replayed(rejected=2)
