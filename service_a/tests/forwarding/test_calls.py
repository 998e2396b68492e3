import asyncio
import json
from collections.abc import Sequence

import pytest

from gateway.errors import GatewayError, InputRejected, PredictorUnavailable
from gateway.forwarding.calls import Calls, read_stages
from gateway.intake.entries import Answer, Forward
from gateway.telemetry.events import Watchers
from gateway.telemetry.passage import Passage

ANSWER = Answer(b"{}", 1.0, "1")
REJECTED = InputRejected([])
FAILED = PredictorUnavailable("down")


def test_each_request_finds_the_call_that_its_inputs_went_in() -> None:
    calls = Calls(Watchers())
    one, two = Passage(), Passage()

    calls.begin([Forward(b"0", "r0")])
    call = calls.begin([Forward(b"1", "r1", stages=each) for each in (one, one, two)])

    assert one.call is two.call is call
    assert (call.number, call.inputs, call.callers) == (2, 3, 2)


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        ([FAILED, REJECTED, ANSWER], "predicted"),
        ([FAILED, REJECTED], "rejected"),
        ([FAILED], "unavailable"),
        ([], "unavailable"),  # there is no answer at all
        (None, "rejected"),
    ],
)
def test_whoever_watches_is_shown_what_came_of_a_call(
    results: Sequence[Answer | GatewayError] | None, outcome: str
) -> None:
    async def run() -> str:
        watchers = Watchers()
        watcher = watchers.join()
        calls = Calls(watchers)
        calls.end(calls.begin([Forward(b"1", "r1")]), results)
        return (await anext(watcher.read())).decode()

    event = json.loads(asyncio.run(run()).split("\n")[1].removeprefix("data: "))

    assert event.pop("duration_ms") >= 0
    assert event == {"call": 1, "inputs": 1, "callers": 1, "outcome": outcome}


@pytest.mark.parametrize(
    ("header", "stages"),
    [
        ("check;dur=0.10, total;dur=2.1", b", b_check;dur=0.10, b_total;dur=2.1"),
        ("cdn;dur=4, predict;dur=2", b", b_predict;dur=2"),
        ('check;desc="a;dur=1", predict;dur=-1, total;dur=1e9, total;dur=nan, other;dur=1', b""),
        ("total;dur=1;desc=x, miss, predict;dur=9999999999", b""),
        ("total;dur=1," * 5000, b", b_total;dur=1"),
        ("total;dur=1, check;dur=2, total;dur=3", b", b_total;dur=3, b_check;dur=2"),
        (f"{'total;dur=12':>1024}", b""),  # cut off
        (f"{'total;dur=12':>1023}", b", b_total;dur=12"),
        ("", b""),
    ],
)
def test_only_stages_of_service_b_are_read(header: str, stages: bytes) -> None:
    assert read_stages(header) == stages
