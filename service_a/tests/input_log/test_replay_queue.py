from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import Attempt, InputFilter, LogReader
from gateway.input_log.replay_queue import ReplayQueue
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import Claim, NewInput, Outcome, OutcomeKind, Span

NOW = datetime.now(UTC)


@pytest.fixture
def queue(database: LogDatabase) -> ReplayQueue:
    return ReplayQueue(database)


def claim(queue: ReplayQueue, limit: int, model: str | None = None) -> list[Claim]:
    return queue.claim(model, Span(), limit)


def make_inputs(*kinds: OutcomeKind, age_minutes: int = 1) -> list[NewInput]:
    return [
        NewInput(
            f"r{index}",
            str(index),
            kind,
            received_at=datetime.now(UTC)
            - timedelta(minutes=age_minutes)
            + timedelta(seconds=index),
        )
        for index, kind in enumerate(kinds)
    ]


def test_unavailable_inputs_are_claimed_oldest_first(log: LogWriter, queue: ReplayQueue) -> None:
    entries = make_inputs(*[OutcomeKind.UNAVAILABLE, *OutcomeKind, OutcomeKind.UNAVAILABLE])
    log.write(entries[::-1])

    assert [each.request_id for each in claim(queue, 2)] == ["r0", "r5"]
    assert [each.data for each in claim(queue, 2)] == ["6"]
    assert claim(queue, 2) == []


def test_models_are_claimed_apart(log: LogWriter, queue: ReplayQueue) -> None:
    models = [None, "ames", None, "california", "ames"]
    kind = OutcomeKind.UNAVAILABLE
    log.write([NewInput(f"r{n}", "1", kind, model) for n, model in enumerate(models)])
    log.write([NewInput("r9", "1", OutcomeKind.PREDICTED, "other")])

    assert set(queue.find_models()) == {None, "ames", "california"}
    assert queue.count("ames", Span(), 10) == 2
    assert [each.request_id for each in claim(queue, 10, "ames")] == ["r1", "r4"]
    assert [each.request_id for each in claim(queue, 10)] == ["r0", "r2"]
    assert set(queue.find_models()) == {"california"}


def test_part_of_the_log_is_claimed(log: LogWriter, queue: ReplayQueue) -> None:
    log.write(make_inputs(*[OutcomeKind.UNAVAILABLE] * 6))
    claims = claim(queue, 10)
    log.write([Outcome(c.number, c.request_id, OutcomeKind.UNAVAILABLE, 1.0) for c in claims])

    behind = queue.claim(None, Span(after=claims[3]), 10)
    first = queue.claim(None, Span(until=claims[1]), 10)

    assert (behind, first) == (claims[4:], claims[:2])
    assert queue.count(None, Span(after=claims[1], until=claims[2]), 10) == 1


def test_fewer_are_claimed_at_once_when_they_are_large(log: LogWriter, queue: ReplayQueue) -> None:
    inputs = make_inputs(*[OutcomeKind.UNAVAILABLE] * 3)
    for each in inputs:
        each.data = "1" * 3_000_000
    log.write(inputs)

    assert [len(claim(queue, 10)) for _ in range(4)] == [1, 1, 1, 0]


def test_claim_keeps_what_the_log_said_before(
    log: LogWriter, database: LogDatabase, queue: ReplayQueue
) -> None:
    (number,) = log.write([NewInput("r1", "1", OutcomeKind.PENDING, "ames")])
    log.write([Outcome(number, "r1", OutcomeKind.UNAVAILABLE, 12.5, outcome_at=NOW)])

    (claimed,) = claim(queue, 10, "ames")

    assert (claimed.number, claimed.model) == (number, "ames")
    row, earlier = LogReader(database).read_one("r1")
    assert (row.outcome, row.duration_ms) == ("pending", None)
    assert earlier == [Attempt("unavailable", NOW, 12.5)]


def test_input_is_claimed_again_when_it_failed_again(log: LogWriter, queue: ReplayQueue) -> None:
    log.write(make_inputs(OutcomeKind.UNAVAILABLE))
    (claimed,) = claim(queue, 10)
    log.write([Outcome(claimed.number, claimed.request_id, OutcomeKind.UNAVAILABLE, 1.0)])

    assert claim(queue, 10) == [claimed]


@pytest.mark.parametrize(("age_minutes", "claimed"), [(9, 0), (11, 1)])
def test_input_left_pending_is_claimed_when_nobody_can_be_at_it(
    log: LogWriter, queue: ReplayQueue, age_minutes: int, claimed: int
) -> None:
    log.write(make_inputs(OutcomeKind.PENDING, age_minutes=age_minutes))

    queue.find_models()
    assert len(claim(queue, 10)) == claimed
    queue.find_models()
    assert claim(queue, 10) == []


def test_many_that_were_left_pending_are_freed_in_steps(
    log: LogWriter, queue: ReplayQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write(make_inputs(*[OutcomeKind.PENDING] * 1200, age_minutes=60))
    steps: list[int] = []
    free = ReplayQueue._free_abandoned

    def count_freed(queue: ReplayQueue) -> int:
        steps.append(free(queue))
        return steps[-1]

    monkeypatch.setattr(ReplayQueue, "_free_abandoned", count_freed)

    assert queue.find_models() == [None]
    assert steps == [500, 500, 200, 0]


def test_no_input_is_claimed_twice_when_many_claim_at_once(
    log: LogWriter, log_url: str, database: LogDatabase
) -> None:
    log.write(make_inputs(*[OutcomeKind.UNAVAILABLE] * 60))

    def claim_all(_: int) -> list[int]:
        with closing(LogDatabase(log_url)) as own_database:  # as another gateway has it
            queue, numbers = ReplayQueue(own_database), []
            while claims := claim(queue, 7):
                numbers += [each.number for each in claims]
        return numbers

    with ThreadPoolExecutor(4) as threads:
        claimed = [number for numbers in threads.map(claim_all, range(4)) for number in numbers]

    pending = LogReader(database).read_page(InputFilter(OutcomeKind.PENDING), None, 100)
    assert len(pending.rows) == 60
    assert len(claimed) == len(set(claimed)) == 60
