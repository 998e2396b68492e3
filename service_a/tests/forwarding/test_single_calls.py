import logging
import threading
import time
from collections.abc import Sequence

import pytest

from gateway.errors import GatewayError, ModelUnknown, PredictorTimeout, PredictorUnavailable
from gateway.forwarding.single_calls import SingleCalls
from gateway.intake.entries import Answer, Forward

ALL_DAY = 86400.0


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class FakePredictor:
    """Answers for one input, but for those that have another result. Counts its calls."""

    def __init__(self, **others: GatewayError) -> None:
        self._others = others
        self._lock = threading.Lock()
        self._at_once = 0
        self.most_at_once = 0
        self.calls: list[str] = []

    def ask(self, forwards: Sequence[Forward], _: float) -> list[Answer | GatewayError]:
        (forward,) = forwards
        with self._lock:
            self.calls.append(forward.request_id)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        time.sleep(0.001)
        with self._lock:
            self._at_once -= 1
        return [self._others.get(forward.request_id) or Answer(forward.data, 1.0, "1")]


def make_forwards(count: int) -> list[Forward]:
    return [Forward(b"%d" % number, f"r{number}", "x") for number in range(count)]


def find_out(singles: SingleCalls, predictor: FakePredictor, count: int) -> Sequence[object]:
    results = singles.find_out(predictor.ask, make_forwards(count), time.monotonic() + ALL_DAY)
    return [result.body if isinstance(result, Answer) else type(result) for result in results]


def test_inputs_are_asked_for_a_few_at_once_and_each_gets_its_own_result() -> None:
    predictor = FakePredictor(r7=PredictorUnavailable("status 500"))

    results = find_out(SingleCalls(), predictor, 40)

    expected: list[object] = [b"%d" % number for number in range(40)]
    expected[7] = PredictorUnavailable
    assert results == expected
    assert sorted(predictor.calls) == sorted(f"r{number}" for number in range(40))
    assert 2 <= predictor.most_at_once <= 4


def test_server_without_batches_is_remembered_for_a_while_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    singles = SingleCalls(clock)
    assert not singles.are_needed

    find_out(singles, FakePredictor(), 2)
    assert singles.are_needed
    clock.now = 299
    assert singles.are_needed
    clock.now = 301
    assert not singles.are_needed
    find_out(singles, FakePredictor(), 2)

    assert singles.are_needed
    assert [record.message for record in caplog.records] == ["Service B takes no batches"]
    assert caplog.records[0].levelno == logging.WARNING


def test_one_call_finds_out_that_a_model_is_unknown() -> None:
    predictor = FakePredictor(r0=ModelUnknown("There is no model 'x'"))
    singles = SingleCalls()

    assert find_out(singles, predictor, 3) == [ModelUnknown] * 3
    assert predictor.calls == ["r0"]
    assert not singles.are_needed


def test_nothing_is_remembered_of_a_server_that_gives_no_answer() -> None:
    predictor = FakePredictor(r0=PredictorUnavailable("status 404"))
    singles = SingleCalls()

    assert find_out(singles, predictor, 2) == [PredictorUnavailable, b"1"]
    assert not singles.are_needed


def test_no_call_is_made_when_no_time_is_left() -> None:
    predictor = FakePredictor()

    results = SingleCalls().run(predictor.ask, make_forwards(5), time.monotonic())

    assert [type(result) for result in results] == [PredictorTimeout] * 5
    assert predictor.calls == []
