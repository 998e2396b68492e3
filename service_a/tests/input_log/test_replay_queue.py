from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from gateway.input_log.database import LogDatabase
from gateway.input_log.reader import Attempt, InputFilter, LogReader
from gateway.input_log.replay_queue import ReplayQueue
from gateway.input_log.writer import LogWriter
from gateway.intake.entries import NewInput, Outcome, OutcomeKind

NOW = datetime.now(UTC)


@pytest.fixture
def queue(database: LogDatabase) -> ReplayQueue:
    return ReplayQueue(database)


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

    assert [claim.request_id for claim in queue.claim(2)] == ["r0", "r5"]
    assert [claim.data for claim in queue.claim(2)] == ["6"]
    assert queue.claim(2) == []


def test_claim_keeps_what_the_log_said_before(
    log: LogWriter, database: LogDatabase, queue: ReplayQueue
) -> None:
    (number,) = log.write([NewInput("r1", "1", OutcomeKind.PENDING, "ames")])
    log.write([Outcome(number, "r1", OutcomeKind.UNAVAILABLE, 12.5, outcome_at=NOW)])

    (claim,) = queue.claim(10)

    assert (claim.number, claim.model) == (number, "ames")
    row, earlier = LogReader(database).read_one("r1")
    assert (row.outcome, row.duration_ms) == ("pending", None)
    assert earlier == [Attempt("unavailable", NOW, 12.5)]


def test_input_is_claimed_again_when_it_failed_again(log: LogWriter, queue: ReplayQueue) -> None:
    log.write(make_inputs(OutcomeKind.UNAVAILABLE))
    (claim,) = queue.claim(10)
    log.write([Outcome(claim.number, claim.request_id, OutcomeKind.UNAVAILABLE, 1.0)])

    assert queue.claim(10) == [claim]


@pytest.mark.parametrize(("age_minutes", "claimed"), [(9, 0), (11, 1)])
def test_input_left_pending_is_claimed_when_nobody_can_be_at_it(
    log: LogWriter, queue: ReplayQueue, age_minutes: int, claimed: int
) -> None:
    log.write(make_inputs(OutcomeKind.PENDING, age_minutes=age_minutes))

    assert len(queue.claim(10)) == claimed
    assert queue.claim(10) == []


def test_no_input_is_claimed_twice_when_many_claim_at_once(
    log: LogWriter, log_url: str, database: LogDatabase
) -> None:
    log.write(make_inputs(*[OutcomeKind.UNAVAILABLE] * 60))

    def claim_all(_: int) -> list[int]:
        with closing(LogDatabase(log_url)) as own_database:  # as another gateway has it
            queue, numbers = ReplayQueue(own_database), []
            while claims := queue.claim(7):
                numbers += [claim.number for claim in claims]
        return numbers

    with ThreadPoolExecutor(4) as threads:
        claimed = [number for numbers in threads.map(claim_all, range(4)) for number in numbers]

    pending = LogReader(database).read_page(InputFilter(OutcomeKind.PENDING), None, 100)
    assert len(pending.rows) == 60
    assert len(claimed) == len(set(claimed)) == 60
