"""The queue before the log, with its real thread and a fake of the log."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import InputLogUnavailable
from gateway.intake import log_queue as module
from gateway.intake.entries import Forward, NewInput, Outcome, OutcomeKind
from gateway.intake.forward_queue import make_forward_queue
from gateway.intake.log_queue import LogQueue
from tests.intake.test_intake import FakeCounts, FakeLog, FakePredictor

INPUT = NewInput("r1", "1", OutcomeKind.PENDING)
OUTCOMES = [Outcome(number, "r1", OutcomeKind.PREDICTED, 1.0) for number in range(1, 5)]


def run(log: FakeLog, counts: FakeCounts, use: Callable[[LogQueue], Awaitable[None]]) -> None:
    async def run_and_close() -> None:
        queue = LogQueue(log, counts)
        try:
            await use(queue)
        finally:
            await queue.close()

    asyncio.run(run_and_close())


async def forward(queue: LogQueue) -> None:
    """Have one input logged and forwarded."""
    forward_queue = make_forward_queue(
        FakePredictor(),
        FakeCounts(),
        timeout_seconds=10,
        max_batch=10,
        calls_at_once=2,
        max_waiting=10,
    )
    group = queue.write_before([INPUT], forward_queue, [Forward(b"1", "r1")])
    await group.future
    assert group.before == [1]
    await forward_queue.close()


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def counts() -> FakeCounts:
    return FakeCounts()


@pytest.fixture
def outcomes_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OUTCOME_DELAY_SECONDS", 3600)


def test_what_comes_together_shares_a_commit(log: FakeLog, counts: FakeCounts) -> None:
    async def use(queue: LogQueue) -> None:
        log.open.clear()
        first = asyncio.create_task(queue.write([INPUT]))
        await asyncio.sleep(0)
        others = [asyncio.create_task(queue.write([INPUT] * size)) for size in (1, 2, 3)]
        await asyncio.sleep(0)
        log.open.set()
        await asyncio.gather(first, *others)

    run(log, counts, use)

    assert len(log.rows) == 7
    assert sum(inputs for _, inputs in counts.commits) == 7
    assert len(counts.commits) <= 2


def test_nothing_is_committed_when_there_is_nothing_to_write(
    log: FakeLog, counts: FakeCounts
) -> None:
    run(log, counts, lambda queue: queue.catch_up())

    assert counts.commits == []


@pytest.mark.usefixtures("outcomes_wait")
def test_outcomes_go_along_with_the_next_input_when_there_are_enough(
    log: FakeLog, counts: FakeCounts
) -> None:
    async def use(queue: LogQueue) -> None:
        queue.write_later(OUTCOMES[:2])
        queue.write_later(OUTCOMES[2:])
        await forward(queue)

    run(log, counts, use)

    assert counts.commits == [(5, 1)]


@pytest.mark.usefixtures("outcomes_wait")
def test_few_outcomes_wait_for_more(log: FakeLog, counts: FakeCounts) -> None:
    async def use(queue: LogQueue) -> None:
        queue.write_later(OUTCOMES[:3])
        await forward(queue)
        assert log.outcomes == {}
        await queue.catch_up()
        assert len(log.outcomes) == 3

    run(log, counts, use)

    assert counts.commits == [(1, 1), (3, 0)]


@pytest.mark.usefixtures("outcomes_wait")
def test_many_outcomes_are_written_at_once(
    log: FakeLog, counts: FakeCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MANY_OUTCOMES", len(OUTCOMES))

    async def use(queue: LogQueue) -> None:
        queue.write_later(OUTCOMES[:2])
        queue.write_later(OUTCOMES[2:])
        assert await asyncio.to_thread(counts.committed.wait, 10)
        await forward(queue)

    run(log, counts, use)

    assert counts.commits == [(4, 0), (1, 1)]


def test_outcomes_are_written_by_themselves_when_no_input_comes(
    log: FakeLog, counts: FakeCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OUTCOME_DELAY_SECONDS", 0)

    async def use(queue: LogQueue) -> None:
        queue.write_later(OUTCOMES)
        assert await asyncio.to_thread(counts.committed.wait, 10)

    run(log, counts, use)

    assert counts.commits == [(4, 0)]


@pytest.mark.usefixtures("outcomes_wait")
def test_outcomes_are_written_when_the_queue_is_closed(log: FakeLog, counts: FakeCounts) -> None:
    async def use(queue: LogQueue) -> None:
        queue.write_later(OUTCOMES[:1])

    run(log, counts, use)

    assert log.outcomes == {1: OUTCOMES[0]}


def read_fields(caplog: pytest.LogCaptureFixture) -> list[tuple[object, object, object]]:
    lines = [line for line in caplog.records if line.getMessage() == "outcomes could not be logged"]
    return [tuple(vars(line)["fields"].values()) for line in lines]


@pytest.mark.usefixtures("outcomes_wait")
def test_outcomes_are_tried_again_until_the_log_takes_them(
    log: FakeLog,
    counts: FakeCounts,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0)
    log.error = InputLogUnavailable("disk full")

    async def use(queue: LogQueue) -> None:
        queue.write_later(OUTCOMES)
        await queue.catch_up()
        assert log.outcomes == {}
        log.error = None
        assert await asyncio.to_thread(counts.committed.wait, 10)

    run(log, counts, use)

    assert list(log.outcomes.values()) == OUTCOMES
    assert set(read_fields(caplog)) == {(0, 4, "disk full")}


@pytest.mark.usefixtures("outcomes_wait")
def test_inputs_do_not_wait_for_outcomes_that_could_not_be_written(
    log: FakeLog, counts: FakeCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 3600)

    async def use(queue: LogQueue) -> None:
        log.error = InputLogUnavailable("disk full")
        queue.write_later(OUTCOMES)
        await queue.catch_up()
        log.error = None
        await forward(queue)
        assert log.outcomes == {}
        await queue.catch_up()  # whoever reads the log has them tried at once
        assert list(log.outcomes.values()) == OUTCOMES

    run(log, counts, use)


@pytest.mark.usefixtures("outcomes_wait")
def test_oldest_outcomes_are_lost_and_counted_when_too_many_are_kept(
    log: FakeLog,
    counts: FakeCounts,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 3600)
    monkeypatch.setattr(module, "_MAX_OUTCOMES", 3)

    async def use(queue: LogQueue) -> None:
        log.error = InputLogUnavailable("disk full")
        queue.write_later(OUTCOMES)
        await queue.catch_up()
        log.error = None

    run(log, counts, use)

    assert list(log.outcomes.values()) == OUTCOMES[1:]  # written at the end
    assert read_fields(caplog) == [(1, 3, "disk full")]


@pytest.mark.usefixtures("outcomes_wait")
def test_outcomes_are_lost_when_the_queue_is_closed_and_they_still_can_not_be_written(
    log: FakeLog, counts: FakeCounts, caplog: pytest.LogCaptureFixture
) -> None:
    log.error = InputLogUnavailable("disk full")

    async def use(queue: LogQueue) -> None:
        queue.write_later(OUTCOMES)
        await queue.catch_up()

    run(log, counts, use)

    assert read_fields(caplog) == [(0, 4, "disk full"), (4, 0, "disk full")]


def test_entries_are_refused_when_too_many_wait(
    log: FakeLog,
    counts: FakeCounts,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 0)

    async def use(queue: LogQueue) -> None:
        with pytest.raises(InputLogUnavailable, match="0 are waiting already"):
            await queue.write([INPUT])
        queue.write_later(OUTCOMES)
        await queue.catch_up()

    run(log, counts, use)

    assert (log.rows, log.outcomes) == ({}, {})
    assert vars(caplog.records[0])["fields"]["reason"] == "0 are waiting already"


@pytest.mark.parametrize(("proof_seconds", "heartbeats"), [(60, 0), (0, 1)])
def test_check_writes_only_when_no_input_was_logged_for_a_while(
    log: FakeLog,
    counts: FakeCounts,
    monkeypatch: pytest.MonkeyPatch,
    proof_seconds: float,
    heartbeats: int,
) -> None:
    monkeypatch.setattr(module, "_PROOF_SECONDS", proof_seconds)

    async def use(queue: LogQueue) -> None:
        await queue.write([INPUT])
        await queue.check()

    run(log, counts, use)

    assert counts.commits == [(1, 1), *[(1, 0)] * heartbeats]


def test_check_writes_when_an_input_could_not_be_logged_since(
    log: FakeLog, counts: FakeCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PROOF_SECONDS", 60)

    async def use(queue: LogQueue) -> None:
        await queue.write([INPUT])
        log.error = InputLogUnavailable("disk full")
        with pytest.raises(InputLogUnavailable):
            await queue.write([INPUT])
        with pytest.raises(InputLogUnavailable):
            await queue.check()

    run(log, counts, use)
