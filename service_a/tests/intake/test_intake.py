"""The intake with its queues, and fakes of the log and of Service B."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from gateway.errors import (
    GatewayError,
    InputLogUnavailable,
    InputRejected,
    ModelUnknown,
    PredictorUnavailable,
)
from gateway.intake.entries import Answer, Claim, Entry, Forward, NewInput, Outcome, OutcomeKind
from gateway.intake.forward_queue import make_forward_queue
from gateway.intake.intake import Intake
from gateway.intake.lanes import Lane, Lanes
from gateway.intake.log_queue import LogQueue
from gateway.telemetry.trace import read_trace

TRACE = read_trace("r1", "")
ANSWER = Answer(b'{"prediction":{"price":1.5}}', 1.5, "7")

Result = TypeVar("Result")
Respond = Callable[[Forward], Answer | GatewayError]


class FakePredictor:
    """Answers by a function, and remembers its calls."""

    def __init__(self, respond: Respond = lambda _: ANSWER) -> None:
        self.calls: list[Sequence[Forward]] = []
        self.deadlines: list[float] = []
        self._respond = respond

    def predict(self, forwards: Sequence[Forward], deadline: float) -> list[Answer | GatewayError]:
        self.calls.append(forwards)
        self.deadlines.append(deadline)
        return [self._respond(forward) for forward in forwards]


class FakeLog:
    """Keeps inputs in memory by their numbers, with what is known of each. Fails while told to."""

    def __init__(self) -> None:
        self.rows: dict[int, NewInput] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.error: Exception | None = None
        self.open = threading.Event()
        self.open.set()

    def write(self, entries: Sequence[Entry]) -> list[int]:
        self.open.wait(60)
        if self.error:
            raise self.error
        self.outcomes |= {each.input_number: each for each in entries if isinstance(each, Outcome)}
        return [self._insert(each) for each in entries if isinstance(each, NewInput)]

    def read_outcomes(self) -> list[str]:
        return [
            self.outcomes[number].outcome if number in self.outcomes else row.outcome
            for number, row in self.rows.items()
        ]

    def _insert(self, entry: NewInput) -> int:
        number = len(self.rows) + 1
        self.rows[number] = entry
        return number


class FakeBreaker:
    def __init__(self, *, admits: bool = True) -> None:
        self._admits = admits

    @property
    def state(self) -> str:
        return "closed" if self._admits else "open"

    def admit(self) -> bool:
        return self._admits


class FakeCounts:
    def __init__(self) -> None:
        self.commits: list[tuple[int, int]] = []
        self.committed = threading.Event()
        self.calls: list[int] = []
        self.forwards: dict[str, int] = {}

    def count_commit(self, entries: int, inputs: int, seconds: float) -> None:
        assert seconds >= 0
        self.commits.append((entries, inputs))
        self.committed.set()

    def count_call(self, inputs: int) -> None:
        self.calls.append(inputs)

    def count_forwards(self, outcome: OutcomeKind, inputs: int) -> None:
        self.forwards[outcome] = self.forwards.get(outcome, 0) + inputs

    def count_warnings(self, model: str | None, version: str | None, fields: Sequence[str]) -> None:
        pass


def run(
    log: FakeLog,
    predictor: FakePredictor,
    use: Callable[[Intake], Awaitable[Result]],
    *,
    breaker: FakeBreaker | None = None,
    counts: FakeCounts | None = None,
    log_timeout_seconds: float = 10,
    forward_timeout_seconds: float = 10,
    forward_max_waiting: int = 100,
) -> Result:
    async def run_and_close() -> Result:
        counted = counts or FakeCounts()

        def make_lane(_: str | None) -> Lane:
            forward_queue = make_forward_queue(
                predictor,
                counted,
                timeout_seconds=forward_timeout_seconds,
                max_batch=10,
                calls_at_once=2,
                max_waiting=forward_max_waiting,
            )
            return Lane(forward_queue, breaker or FakeBreaker())

        log_queue = LogQueue(log, counted, timeout_seconds=log_timeout_seconds)
        intake = Intake(log_queue, Lanes(make_lane), counted)
        try:
            return await use(intake)
        finally:
            await intake.close()

    return asyncio.run(run_and_close())


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


def test_input_is_committed_before_it_is_forwarded(log: FakeLog) -> None:
    seen: list[NewInput] = []

    def read_log_first(_: Forward) -> Answer:
        seen[:] = log.rows.values()
        return ANSWER

    predictor = FakePredictor(read_log_first)
    results = run(log, predictor, lambda intake: intake.predict([b'{"a":1}', b"2"], TRACE, "m"))

    assert results == [ANSWER, ANSWER]
    assert [(row.request_id, row.data, row.outcome, row.model) for row in seen] == [
        ("r1", '{"a":1}', "pending", "m"),
        ("r1", "2", "pending", "m"),
    ]


def test_input_is_forwarded_with_its_model_its_trace_and_a_deadline(log: FakeLog) -> None:
    predictor = FakePredictor()
    began = time.monotonic()

    run(
        log,
        predictor,
        lambda intake: intake.predict([b"1"], TRACE, "m"),
        forward_timeout_seconds=60,
    )

    assert predictor.calls == [[Forward(b"1", "r1", "m", TRACE.traceparent, TRACE.stages)]]
    assert began + 60 < predictor.deadlines[0] < time.monotonic() + 60


def test_each_input_is_logged_and_counted_with_its_outcome(log: FakeLog) -> None:
    becomes: dict[bytes, Answer | GatewayError] = {
        b"1": ANSWER,
        b"2": InputRejected([]),
        b"3": PredictorUnavailable("status 500"),
        b"4": ModelUnknown("none"),
    }
    predictor = FakePredictor(lambda forward: becomes[forward.data])
    counts = FakeCounts()

    results = run(
        log, predictor, lambda intake: intake.predict(list(becomes), TRACE), counts=counts
    )

    assert results == list(becomes.values())
    assert log.read_outcomes() == ["predicted", "rejected", "unavailable", "rejected"]
    predicted, *others = log.outcomes.values()
    assert (predicted.price, predicted.model_version) == (1.5, "7")
    assert {(each.price, each.model_version) for each in others} == {(None, None)}
    assert all(each.duration_ms >= 0 for each in log.outcomes.values())
    assert counts.forwards == {"predicted": 1, "rejected": 2, "unavailable": 1}
    assert counts.calls == [4]


def test_lone_input_does_not_wait_until_a_large_call_has_ended(log: FakeLog) -> None:
    under_way, may_end = threading.Event(), threading.Event()

    def hold_up(forward: Forward) -> Answer:
        if forward.data != b"0":
            under_way.set()
            assert may_end.wait(60)
        return ANSWER

    async def use(intake: Intake) -> None:
        large = asyncio.create_task(intake.predict([b"1", b"2", b"3"], TRACE))
        await asyncio.to_thread(under_way.wait, 10)
        assert await intake.predict([b"0"], TRACE) == [ANSWER]
        assert not large.done()
        may_end.set()
        assert await large == [ANSWER] * 3

    run(log, FakePredictor(hold_up), use)


def test_kept_input_is_never_forwarded(log: FakeLog) -> None:
    predictor = FakePredictor()

    run(log, predictor, lambda intake: intake.keep(b"1", TRACE))

    assert predictor.calls == []
    assert log.read_outcomes() == ["logged"]


def test_nothing_is_forwarded_when_the_log_can_not_be_written(log: FakeLog) -> None:
    log.error = InputLogUnavailable("disk full")
    predictor = FakePredictor()

    async def use(intake: Intake) -> None:
        for call in (intake.predict([b"1"], TRACE), intake.keep(b"1", TRACE)):
            with pytest.raises(InputLogUnavailable, match="disk full"):
                await call

    run(log, predictor, use)

    assert predictor.calls == []
    assert log.outcomes == {}


def test_caller_is_told_when_the_log_hangs(log: FakeLog) -> None:
    log.open.clear()
    predictor = FakePredictor()

    async def use_then_release(intake: Intake) -> None:
        for use in (intake.predict([b"1"], TRACE), intake.keep(b"1", TRACE)):
            with pytest.raises(InputLogUnavailable, match="did not answer in time"):
                await use
        log.open.set()

    run(log, predictor, use_then_release, log_timeout_seconds=0.1)

    assert predictor.calls == []


def test_caller_is_answered_in_time_when_the_predictor_overruns_its_deadline(log: FakeLog) -> None:
    released = threading.Event()

    def hang(_: Forward) -> Answer:
        released.wait(60)
        return ANSWER

    async def predict_then_release(intake: Intake) -> list[Answer | GatewayError]:
        try:
            return await intake.predict([b"1"], TRACE)
        finally:
            released.set()

    (result,) = run(log, FakePredictor(hang), predict_then_release, forward_timeout_seconds=0.2)

    assert isinstance(result, PredictorUnavailable)
    assert log.read_outcomes() == ["unavailable"]


def test_input_is_logged_but_not_forwarded_while_the_circuit_is_open(log: FakeLog) -> None:
    predictor, counts = FakePredictor(), FakeCounts()

    (result,) = run(
        log,
        predictor,
        lambda intake: intake.predict([b"1"], TRACE),
        breaker=FakeBreaker(admits=False),
        counts=counts,
    )

    assert isinstance(result, PredictorUnavailable)
    assert predictor.calls == []
    assert log.read_outcomes() == ["unavailable"]
    assert counts.commits == [(1, 1)]  # one commit says it all
    assert counts.forwards == {"unavailable": 1}


def test_inputs_are_refused_one_by_one_when_too_many_wait_for_service_b(log: FakeLog) -> None:
    asked, released = threading.Semaphore(0), threading.Event()

    def hang(_: Forward) -> Answer:
        asked.release()
        released.wait(60)
        return ANSWER

    async def use(intake: Intake) -> None:
        tasks = []
        for _ in range(2):  # as many calls as there are at a time
            tasks.append(asyncio.create_task(intake.predict([b"1"], TRACE)))
            assert await asyncio.to_thread(asked.acquire, timeout=60)
        tasks.append(asyncio.create_task(intake.predict([b"2"], TRACE)))
        await asyncio.sleep(0)
        await intake.keep(b"0", TRACE)  # it comes after the last one, which now waits
        (refused,) = await intake.predict([b"3"], TRACE)
        assert isinstance(refused, PredictorUnavailable)
        assert str(refused) == "1 are waiting already"
        released.set()
        assert await asyncio.gather(*tasks) == [[ANSWER]] * 3

    run(log, FakePredictor(hang), use, forward_max_waiting=1)

    assert log.read_outcomes() == [
        *["predicted"] * 3,
        "logged",
        "unavailable",
    ]


def test_outcome_of_an_input_is_logged_when_its_caller_has_gone(log: FakeLog) -> None:
    asked, released = threading.Event(), threading.Event()

    def hang(_: Forward) -> Answer:
        asked.set()
        released.wait(60)
        return ANSWER

    async def go_away(intake: Intake) -> None:
        predicting = asyncio.create_task(intake.predict([b"1"], TRACE))
        await asyncio.to_thread(asked.wait, 10)
        predicting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await predicting
        released.set()

    run(log, FakePredictor(hang), go_away)

    assert log.read_outcomes() == ["unavailable"]


def test_outcome_of_a_forward_that_ends_while_closing_is_logged(log: FakeLog) -> None:
    asked, released = threading.Event(), threading.Event()

    def hang(_: Forward) -> Answer:
        asked.set()
        released.wait(60)
        return ANSWER

    async def begin(intake: Intake) -> asyncio.Task[list[Answer | GatewayError]]:
        predicting = asyncio.create_task(intake.predict([b"1"], TRACE))
        await asyncio.to_thread(asked.wait, 10)
        # The intake is then being closed: what is called here comes after the end of this task.
        asyncio.get_running_loop().call_soon(released.set)
        return predicting

    predicted = run(log, FakePredictor(hang), begin)

    assert predicted.result() == [ANSWER]
    assert log.read_outcomes() == ["predicted"]


def test_forward_is_given_up_when_it_takes_too_long_while_closing(log: FakeLog) -> None:
    asked, released = threading.Event(), threading.Event()

    def hang(_: Forward) -> Answer:
        asked.set()
        released.wait(60)
        return ANSWER

    async def begin(intake: Intake) -> list[asyncio.Task[list[Answer | GatewayError]]]:
        tasks = [asyncio.create_task(intake.predict([b"1"], TRACE, m)) for m in (None, "m")]
        await asyncio.to_thread(asked.wait, 10)
        return tasks

    started = time.monotonic()
    tasks = run(log, FakePredictor(hang), begin, forward_timeout_seconds=300)

    assert time.monotonic() - started < 150
    for task in tasks:
        (result,) = task.result()
        assert isinstance(result, PredictorUnavailable)
    assert log.read_outcomes() == ["unavailable"] * 2
    threads = [thread for thread in threading.enumerate() if thread.name == "forward"]
    released.set()
    for thread in threads:  # and end without a word, though the event loop is closed
        thread.join(60)
        assert not thread.is_alive()


def test_error_that_nobody_foresaw_is_raised_and_the_next_input_is_served(log: FakeLog) -> None:
    def fail_once(forward: Forward) -> Answer:
        if forward.data == b"1":
            raise ZeroDivisionError
        return ANSWER

    async def predict_twice(intake: Intake) -> list[Answer | GatewayError]:
        with pytest.raises(ZeroDivisionError):
            await intake.predict([b"1"], TRACE)
        return await intake.predict([b"2"], TRACE)

    assert run(log, FakePredictor(fail_once), predict_twice) == [ANSWER]
    assert log.read_outcomes() == ["unavailable", "predicted"]


# Again


NOW = datetime.now(UTC)


def test_claimed_inputs_are_forwarded_again_to_their_model(log: FakeLog) -> None:
    claims = [Claim(2, "r1", NOW, "1", "m"), Claim(3, "r2", NOW, "2", "m")]
    predictor = FakePredictor()

    results = run(log, predictor, lambda intake: intake.predict_again("m", claims, TRACE))

    assert results == [ANSWER] * 2
    assert predictor.calls == [
        [
            Forward(each.data.encode(), each.request_id, "m", TRACE.traceparent, TRACE.stages)
            for each in claims
        ]
    ]
    assert {(each.input_number, each.request_id) for each in log.outcomes.values()} == {
        (2, "r1"),
        (3, "r2"),
    }
    assert {each.outcome for each in log.outcomes.values()} == {"predicted"}


def test_claimed_inputs_are_unavailable_again_when_too_many_wait(log: FakeLog) -> None:
    claims = [Claim(1, "r1", NOW, "1", None)]

    (result,) = run(
        log,
        FakePredictor(),
        lambda intake: intake.predict_again(None, claims, TRACE),
        forward_max_waiting=0,
    )

    assert isinstance(result, PredictorUnavailable)
    assert log.outcomes[1].outcome == "unavailable"
