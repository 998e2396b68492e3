import re
import time

import pytest

from gateway.telemetry.passage import Call, Passage


def make_passage(call: Call | None = None) -> Passage:
    passage = Passage()
    passage.end_reading(1, "m")
    passage.call = call
    return passage


def test_stages_follow_each_other_and_the_total_is_last() -> None:
    passage = make_passage()
    logged_at = time.perf_counter() + 1
    passage.call = Call(7, inputs=1, callers=1)
    passage.call.began_at = logged_at + 2
    passage.call.ended_at = logged_at + 5
    passage.call.stages = b", b_check;dur=0.50, b_total;dur=2.25"

    passage.end_forward(logged_at, ["result"])

    stages = passage.measure()
    assert list(stages) == ["read", "log", "wait", "predict", "b_check", "b_total", "total"]
    assert 1000 <= stages["log"] < 60_000
    assert (stages["wait"], stages["predict"], stages["b_total"]) == (2000, 3000, 2.25)
    assert (passage.inputs, passage.model, passage.results) == (1, "m", ["result"])


def test_header_is_as_the_standard_has_it() -> None:
    passage = make_passage()
    passage.end_logging()

    header = passage.write_header().decode()

    assert re.fullmatch(r"read;dur=\d+\.\d\d, log;dur=\d+\.\d\d, total;dur=\d+\.\d\d", header)


def test_log_begins_with_the_request_when_nothing_was_read() -> None:
    passage = Passage()  # as that of a replay

    passage.end_forward(time.perf_counter(), [])

    assert passage.measure()["log"] < 60_000
    assert [name for name, _, _ in passage.list_stages()] == ["log", "wait"]


def test_stages_are_listed_with_their_times() -> None:
    passage = make_passage(call := Call(7, inputs=1, callers=1))
    logged_at = time.perf_counter() + 1
    call.began_at, call.ended_at = logged_at + 2, logged_at + 5

    passage.end_forward(logged_at, ["result"])

    read, *later = passage.list_stages()
    assert read[0] == "read"
    assert read[1] < read[2] < logged_at
    assert later == [
        ("log", read[2], logged_at),
        ("wait", logged_at, logged_at + 2),
        ("predict", logged_at + 2, logged_at + 5),
    ]


def test_request_that_was_not_read_has_only_a_total() -> None:
    assert list(Passage().measure()) == ["total"]


def test_all_is_a_wait_when_there_was_no_call() -> None:
    passage = make_passage()

    passage.end_forward(time.perf_counter(), [])

    assert list(passage.measure()) == ["read", "log", "wait", "total"]


def test_call_under_way_counts_up_to_now_when_it_is_given_up() -> None:
    call = Call(1, inputs=1, callers=1)
    passage = make_passage(call)
    time.sleep(0.01)

    passage.end_forward(call.began_at, [])

    assert passage.measure()["predict"] >= 10


@pytest.mark.parametrize("seconds", [-5, 5])
def test_no_stage_takes_less_than_no_time_whatever_the_clock_says(seconds: float) -> None:
    passage = make_passage()
    passage.call = Call(1, inputs=1, callers=1)
    passage.call.ended_at = passage.call.began_at

    passage.end_forward(time.perf_counter() + seconds, [])

    assert min(passage.measure().values()) == 0
