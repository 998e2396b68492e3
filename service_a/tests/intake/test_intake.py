"""The intake with a real log and a fake of the client."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.intake import intake as intake_module
from gateway.errors import (
    GatewayError,
    InputLogUnavailable,
    InputRejected,
    PredictorUnavailable,
)
from gateway.forwarding.circuit_breaker import CircuitBreaker, CircuitState
from gateway.forwarding.client import Answer, Forward, PredictorClient
from gateway.input_log.writer import InputLog
from gateway.intake.entries import Entry, Outcome
from gateway.intake.intake import Intake
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.trace import identify
from tests.log_file import read_inputs

ORIGIN = identify("r1", "")
ANSWER = Answer(b'{"prediction":{"price":1.5}}', 1.5, "7")

Result = TypeVar("Result")
Respond = Callable[[Forward], Answer | GatewayError]


class FakePredictorClient(PredictorClient):
    """Answers by a function, without a network, and remembers its calls."""

    def __init__(self, respond: Respond) -> None:
        self.calls: list[Sequence[Forward]] = []
        self._respond = respond

    def predict(self, forwards: Sequence[Forward]) -> list[Answer | GatewayError]:
        self.calls.append(forwards)
        return [self._respond(forward) for forward in forwards]


class FakeHungLog(InputLog):
    """A log whose disk doesn't answer until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def write(self, entries: Sequence[Entry]) -> list[int]:
        self.released.wait()
        return [1 for _ in entries]


@pytest.fixture
def log(log_path: Path) -> Iterator[InputLog]:
    log = InputLog(f"sqlite:///{log_path}")
    yield log
    log.close()


def run(
    log: InputLog,
    client: FakePredictorClient,
    use: Callable[[Intake], Awaitable[Result]],
    *,
    breaker: CircuitBreaker | None = None,
    forward_timeout_seconds: float = 10,
    forward_max_waiting: int = 100,
) -> Result:
    async def run_and_close() -> Result:
        intake = Intake(
            log,
            client,
            breaker or CircuitBreaker(failures_to_open=5, window_seconds=60),
            Metrics(),
            forward_timeout_seconds=forward_timeout_seconds,
            forward_max_batch=10,
            forward_max_waiting=forward_max_waiting,
        )
        try:
            return await use(intake)
        finally:
            await intake.close()

    return asyncio.run(run_and_close())


def test_input_is_committed_before_it_is_forwarded(log: InputLog, log_path: Path) -> None:
    seen = []

    def read_log_first(_: Forward) -> Answer:
        seen.extend(read_inputs(log_path, settled=False))
        return ANSWER

    client = FakePredictorClient(read_log_first)
    results = run(log, client, lambda intake: intake.predict([b'{"a":1}', b"2"], ORIGIN))

    assert results == [ANSWER, ANSWER]
    assert [(row["request_id"], row["data"], row["outcome"]) for row in seen[:2]] == [
        ("r1", '{"a":1}', "pending"),
        ("r1", "2", "pending"),
    ]


def test_each_input_is_logged_with_what_became_of_it(log: InputLog, log_path: Path) -> None:
    becomes: dict[bytes, Answer | GatewayError] = {
        b"1": ANSWER,
        b"2": InputRejected([]),
        b"3": PredictorUnavailable("status 500"),
    }
    client = FakePredictorClient(lambda forward: becomes[forward.data])

    results = run(log, client, lambda intake: intake.predict(list(becomes), ORIGIN))

    assert results == list(becomes.values())
    rows = read_inputs(log_path)
    assert [row["outcome"] for row in rows] == ["predicted", "rejected", "unavailable"]
    assert [(row["price"], row["model_version"]) for row in rows] == [
        (1.5, "7"),
        (None, None),
        (None, None),
    ]
    assert all(row["duration_ms"] >= 0 for row in rows)


def test_lone_input_does_not_wait_until_a_large_call_has_ended(log: InputLog) -> None:
    under_way, may_end = threading.Event(), threading.Event()

    def hold_up(forward: Forward) -> Answer:
        if forward.data != b"0":
            under_way.set()
            assert may_end.wait(10)
        return ANSWER

    async def use(intake: Intake) -> None:
        large = asyncio.create_task(intake.predict([b"1", b"2", b"3"], ORIGIN))
        await asyncio.to_thread(under_way.wait, 10)
        assert await intake.predict([b"0"], ORIGIN) == [ANSWER]
        assert not large.done()
        may_end.set()
        assert await large == [ANSWER] * 3

    run(log, FakePredictorClient(hold_up), use)


def test_outcomes_of_a_row_of_inputs_share_a_commit(log_path: Path) -> None:
    commits: list[Sequence[Entry]] = []

    class RecordingLog(InputLog):
        def write(self, entries: Sequence[Entry]) -> list[int]:
            commits.append(entries)
            return super().write(entries)

    async def predict_five(intake: Intake) -> None:
        for _ in range(5):
            await intake.predict([b"1"], ORIGIN)

    log = RecordingLog(f"sqlite:///{log_path}")
    run(log, FakePredictorClient(lambda _: ANSWER), predict_five)
    log.close()

    assert sum(any(isinstance(entry, Outcome) for entry in entries) for entries in commits) < 5
    assert [row["outcome"] for row in read_inputs(log_path)] == ["predicted"] * 5


def test_kept_input_is_never_forwarded(log: InputLog, log_path: Path) -> None:
    client = FakePredictorClient(lambda _: ANSWER)

    run(log, client, lambda intake: intake.keep(b"1", ORIGIN))

    assert client.calls == []
    assert [row["outcome"] for row in read_inputs(log_path)] == ["logged"]


def test_nothing_is_forwarded_when_the_log_can_not_be_written(
    log: InputLog, log_path: Path
) -> None:
    log_path.parent.write_text("a file in the folder's place")
    client = FakePredictorClient(lambda _: ANSWER)

    with pytest.raises(InputLogUnavailable):
        run(log, client, lambda intake: intake.predict([b"1"], ORIGIN))
    with pytest.raises(InputLogUnavailable):
        run(log, client, lambda intake: intake.check_log())

    assert client.calls == []


@pytest.mark.parametrize(("proof_seconds", "heartbeats"), [(60, 0), (0, 1)])
def test_health_check_writes_only_when_no_input_was_logged_for_a_while(
    log: InputLog,
    log_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    proof_seconds: float,
    heartbeats: int,
) -> None:
    monkeypatch.setattr(intake_module, "_PROOF_SECONDS", proof_seconds)

    async def keep_and_check(intake: Intake) -> None:
        await intake.keep(b"1", ORIGIN)
        await intake.check_log()

    run(log, FakePredictorClient(lambda _: ANSWER), keep_and_check)

    with sqlite3.connect(log_path) as connection:
        assert connection.execute("SELECT count(*) FROM heartbeat").fetchone() == (heartbeats,)


def test_caller_is_told_when_the_log_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "_LOG_TIMEOUT_SECONDS", 0.1)
    log = FakeHungLog()
    client = FakePredictorClient(lambda _: ANSWER)

    async def predict_then_release(intake: Intake) -> None:
        try:
            await intake.predict([b"1"], ORIGIN)
        finally:
            log.released.set()

    with pytest.raises(InputLogUnavailable, match="did not answer in time"):
        run(log, client, predict_then_release)

    assert client.calls == []


def test_caller_is_told_in_time_when_the_client_overruns_its_deadline(
    log: InputLog, log_path: Path
) -> None:
    released = threading.Event()

    def hang(_: Forward) -> Answer:
        released.wait()
        return ANSWER

    async def predict_then_release(intake: Intake) -> list[Answer | GatewayError]:
        try:
            return await intake.predict([b"1"], ORIGIN)
        finally:
            released.set()

    (result,) = run(
        log, FakePredictorClient(hang), predict_then_release, forward_timeout_seconds=0.2
    )

    assert isinstance(result, PredictorUnavailable)
    assert [row["outcome"] for row in read_inputs(log_path)] == ["unavailable"]


def test_input_is_logged_but_not_forwarded_while_the_circuit_is_open(
    log: InputLog, log_path: Path
) -> None:
    breaker = CircuitBreaker(failures_to_open=1, window_seconds=60)
    breaker.record_failure()
    assert breaker.state is CircuitState.OPEN
    client = FakePredictorClient(lambda _: ANSWER)

    (result,) = run(log, client, lambda intake: intake.predict([b"1"], ORIGIN), breaker=breaker)

    assert isinstance(result, PredictorUnavailable)
    assert client.calls == []
    assert [row["outcome"] for row in read_inputs(log_path)] == ["unavailable"]


def test_outcome_of_a_forward_that_ends_while_closing_is_logged(
    log: InputLog, log_path: Path
) -> None:
    asked, released = threading.Event(), threading.Event()

    def hang(_: Forward) -> Answer:
        asked.set()
        released.wait()
        return ANSWER

    async def begin(intake: Intake) -> asyncio.Task[list[Answer | GatewayError]]:
        predicting = asyncio.create_task(intake.predict([b"1"], ORIGIN))
        await asyncio.to_thread(asked.wait)
        asyncio.get_running_loop().call_later(0.1, released.set)
        return predicting

    predicted = run(log, FakePredictorClient(hang), begin)

    assert predicted.result() == [ANSWER]
    assert [row["outcome"] for row in read_inputs(log_path, settled=False)] == ["predicted"]


def test_error_that_nobody_foresaw_is_raised_and_the_next_input_is_served(
    log: InputLog, log_path: Path
) -> None:
    def fail_once(forward: Forward) -> Answer:
        if forward.data == b"1":
            raise ZeroDivisionError
        return ANSWER

    async def predict_twice(intake: Intake) -> list[Answer | GatewayError]:
        with pytest.raises(ZeroDivisionError):
            await intake.predict([b"1"], ORIGIN)
        return await intake.predict([b"2"], ORIGIN)

    assert run(log, FakePredictorClient(fail_once), predict_twice) == [ANSWER]
    assert [row["outcome"] for row in read_inputs(log_path)] == ["unavailable", "predicted"]
